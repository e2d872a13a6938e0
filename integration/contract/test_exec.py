"""Commands in real containers, as probes are sent there: stdin, stdout, the end, and every way not to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from clusters import Lab

from meshkit.backends.base import Manifest, Ref
from meshkit.backends.kube import KubeClient
from meshkit.errors import DeadlineError, ForbiddenError, MeshkitError, NotFoundError
from meshkit.kubernetes import is_ready
from meshkit.lab.images import CONSUL
from meshkit.lab.waiting import wait_until

pytestmark = pytest.mark.lab

POD, CONTAINER = "shell", "sh"


@pytest.fixture
def kube(lab: Lab) -> KubeClient:
    return KubeClient(lab.names[0], str(lab.kubeconfig))


@pytest.fixture
def place(lab: Lab, kube: KubeClient, namespace: Callable[[str], str]) -> str:
    """A namespace with a pod in it that has a shell."""
    name = namespace(lab.names[0])
    container = {"name": CONTAINER, "image": CONSUL, "command": ["/bin/sleep", "600"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": name}, "spec": spec}
    wait_until(lambda: _applied(kube, pod), 30, "the namespace's service account")
    wait_until(lambda: is_ready(kube.get(Ref("Pod", POD, name)) or {}), 60, "the pod")
    return name


def _applied(kube: KubeClient, pod: Manifest) -> bool:
    """Pods are refused until a controller has made the new namespace's service account."""
    try:
        kube.apply(pod)
    except ForbiddenError:
        return False
    return True


def never() -> bool:
    return False


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def test_stdin_comes_back_as_lines(kube: KubeClient, place: str) -> None:
    """Whatever the size of frames on the way, lines come whole; the command sees the end when the context ends."""
    sent = [b"x" * size for size in (1, 1000, 100_000, 0, 300_000)]
    with kube.exec(POD, place, CONTAINER, ("/bin/cat",)) as execution:
        execution.send(b"\n".join(sent) + b"\n")
        lines = execution.lines(soon(), never)
        assert [next(lines) for _ in sent] == sent
    wait_until(lambda: not _running(kube, place, "cat"), 30, "the command's end")


def _running(kube: KubeClient, place: str, name: str) -> bool:
    """Whether a process of that name is in the container; the shell's own words start no other."""
    listing = 'for file in /proc/[0-9]*/comm; do read -r name < "$file" && echo "$name"; done; true'
    with kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", listing)) as execution:
        return name.encode() in list(execution.lines(soon(), never))


def test_a_command_that_ends_well_ends_the_lines(kube: KubeClient, place: str) -> None:
    with kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", "echo one; echo two; printf three")) as execution:
        assert list(execution.lines(soon(), never)) == [b"one", b"two", b"three"]


def test_a_command_that_fails_has_its_own_words(kube: KubeClient, place: str) -> None:
    with kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", "echo out; echo why >&2; exit 3")) as execution:
        lines = execution.lines(soon(), never)
        assert next(lines) == b"out"
        with pytest.raises(MeshkitError, match="exit code 3") as caught:
            list(lines)
    assert caught.value.detail == "why"


def test_a_command_that_is_not_there(kube: KubeClient, place: str) -> None:
    with (
        pytest.raises(MeshkitError, match="no-such-command"),
        kube.exec(POD, place, CONTAINER, ("/no-such-command",)) as execution,
    ):
        list(execution.lines(soon(), never))


def test_a_pod_that_is_not_there(kube: KubeClient, place: str) -> None:
    with pytest.raises(NotFoundError), kube.exec("nobody", place, CONTAINER, ("/bin/true",)):
        pass


def test_a_command_that_says_nothing_is_left_at_the_deadline(kube: KubeClient, place: str) -> None:
    with (
        kube.exec(POD, place, CONTAINER, ("/bin/sleep", "300")) as execution,
        pytest.raises(DeadlineError, match="does not answer any more"),
    ):
        list(execution.lines(soon(0.5), never))


def test_chunks_come_as_they_are_and_empty_ones_while_nothing_does(kube: KubeClient, place: str) -> None:
    """Bytes of any kind; between the empty ones the reader can send."""
    sent, got = bytes(range(256)) * 1000 + b"\n\0", b""
    with kube.exec(POD, place, CONTAINER, ("/bin/cat",)) as execution:
        told = 0
        for chunk in execution.chunks(soon()):
            got += chunk
            if not chunk:
                told += 1
                if told == 1:
                    execution.send(sent)
                elif got:
                    break
    assert got == sent


def test_chunks_end_with_the_command(kube: KubeClient, place: str) -> None:
    with kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", "printf one; exit 0")) as execution:
        assert b"".join(execution.chunks(soon())) == b"one"


def test_chunks_of_a_command_that_fails_and_of_one_that_is_silent(kube: KubeClient, place: str) -> None:
    """As with lines."""
    with (
        kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", "echo why >&2; exit 3")) as execution,
        pytest.raises(MeshkitError, match="exit code 3") as caught,
    ):
        list(execution.chunks(soon()))
    assert caught.value.detail == "why"
    with (
        kube.exec(POD, place, CONTAINER, ("/bin/sleep", "300")) as execution,
        pytest.raises(DeadlineError, match="does not answer any more"),
    ):
        list(execution.chunks(soon(0.7)))


def test_an_interrupt_is_heard_while_nothing_comes(kube: KubeClient, place: str) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with (
        kube.exec(POD, place, CONTAINER, ("/bin/sleep", "300")) as execution,
        pytest.raises(MeshkitError, match="interrupted"),
    ):
        list(execution.lines(soon(60), stop.is_set))


def test_a_pod_that_goes_meanwhile_is_told(kube: KubeClient, place: str) -> None:
    with kube.exec(POD, place, CONTAINER, ("/bin/sh", "-c", "echo up; sleep 300")) as execution:
        lines = execution.lines(soon(60), never)
        assert next(lines) == b"up"
        kube.delete(Ref("Pod", POD, place))
        with pytest.raises(MeshkitError) as caught:
            list(lines)
    assert not isinstance(caught.value, DeadlineError)
