"""The one place that knows the real backends: from a federation's description to a Context over live clients."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar

from meshkit.backends import names
from meshkit.backends.base import Consul, Helm, Kube
from meshkit.backends.clock import SystemClock
from meshkit.backends.consul import ConsulClient
from meshkit.backends.kube import KubeClient
from meshkit.consul.names import HTTPS_PORT, SERVER_SELECTOR
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.events import Observer
from meshkit.federation import access
from meshkit.federation.context import Context
from meshkit.federation.state import State
from meshkit.kubernetes import is_ready
from meshkit.model import Datacenter, Federation

T = TypeVar("T")


@contextmanager
def connect(
    federation: Federation, state: State, observe: Observer, timeout_s: float, *, all_of_them: bool = True
) -> Iterator[Context]:
    """A run's context; forwards and connections end with it.

    Without ``all_of_them`` a cluster whose context can't be used is an error only for who asks for that cluster.
    """
    kube = open_clusters(federation.datacenters) if all_of_them else _Clusters(federation.datacenters)
    clock = SystemClock()
    with ExitStack() as stack:
        consuls = _ConsulConnections(federation, state, kube, stack)
        helm, consul = _Once(_helm(federation)), _Once(consuls.open)
        yield Context(federation, state, kube, helm, consul, clock, observe, timeout_s, names.resolve)


def open_clusters(datacenters: tuple[Datacenter, ...]) -> Mapping[str, Kube]:
    """A client per datacenter; what is wrong with any context is reported for all of them at once."""
    clusters = _Clusters(datacenters)
    problems = clusters.problems
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = "\n".join(f"{p.message} ({p.hint})" for p in problems)
        kind = UsageError if all(isinstance(p, UsageError) for p in problems) else MeshkitError
        raise kind(f"{len(problems)} contexts can't be used", hint="kubectl config get-contexts", detail=lines)
    return clusters


def open_unasked(context: str) -> Kube:
    """A client of a context that was not named: nobody is asked to log in there."""
    return KubeClient(context, os.environ.get("KUBECONFIG"), person=False)


class _Clusters(Mapping[str, Kube]):
    """A client per datacenter; one that could not be made raises its reason when it is asked for."""

    def __init__(self, datacenters: tuple[Datacenter, ...]) -> None:
        # Side by side: a login program takes a second or two, and each context may have one.
        with ThreadPoolExecutor(max(1, len(datacenters))) as pool:
            self._clients = {
                dc.name: client for dc, client in zip(datacenters, pool.map(self._opened, datacenters), strict=True)
            }
        self.problems = [client for client in self._clients.values() if isinstance(client, MeshkitError)]

    def __getitem__(self, name: str) -> Kube:
        client = self._clients[name]
        if isinstance(client, MeshkitError):
            raise client
        return client

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    @staticmethod
    def _opened(dc: Datacenter) -> Kube | MeshkitError:
        try:
            return KubeClient(dc.context, os.environ.get("KUBECONFIG"))
        except MeshkitError as error:
            return error


class _Once(Generic[T]):
    """Opens one thing per datacenter, on first use, from whichever thread.

    A failure is that of all who asked meanwhile: none waits for another attempt. Later ones try again.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[str, Future[T]] = {}

    def __call__(self, name: str) -> T:
        with self._lock:
            found = self._made.get(name)
            made = self._made[name] = found or Future()
        if found is None:
            try:
                made.set_result(self._make(name))
            except BaseException as error:  # noqa: BLE001 - raised below, for all who wait
                del self._made[name]
                made.set_exception(error)
        return made.result()


def _helm(federation: Federation) -> Callable[[str], Helm]:
    """Helm from PATH, else the one that the lab has built."""

    def open_helm(name: str) -> Helm:
        from meshkit.backends.helm import HelmClient

        context = next(dc.context for dc in federation.datacenters if dc.name == name)
        return HelmClient(context, executable=_helm_executable())

    return open_helm


def _helm_executable() -> str:
    if shutil.which("helm"):
        return "helm"
    from meshkit.lab import toolchain

    try:
        return str(toolchain.tool("helm"))
    except MeshkitError:
        return "helm"  # HelmClient then says what is missing


class _ConsulConnections:
    """Consul's API of each datacenter through a forward to one of its servers, with TLS that our own CA vouches for."""

    def __init__(self, federation: Federation, state: State, kube: Mapping[str, Kube], stack: ExitStack) -> None:
        self._federation = federation
        self._state = state
        self._kube = kube
        self._stack = stack
        self._credentials = _Once(lambda _: access.credentials(state, federation, kube))

    def open(self, name: str) -> Consul:
        """A client of a datacenter; UnreachableError while none of its servers knows a leader.

        Readiness is not waited for: the kubelet tells it a second or two after the fact.
        """
        dc = next(dc for dc in self._federation.datacenters if dc.name == name)
        pods = self._kube[name].list("Pod", dc.namespace, selector=SERVER_SELECTOR)
        running = [pod for pod in pods if pod.get("status", {}).get("phase") == "Running"]
        for pod in sorted(running, key=lambda pod: (not is_ready(pod), pod["metadata"]["name"])):
            held = self._credentials("")
            with ExitStack() as attempt:
                try:
                    client = self._connect(dc, str(pod["metadata"]["name"]), held, attempt)
                    led = bool(client.leader())
                except UnreachableError:
                    continue  # another server may answer
                if led:
                    self._stack.push(attempt.pop_all())
                    return client
        raise UnreachableError(f"{name}: no Consul server has a leader yet")

    def _connect(self, dc: Datacenter, pod: str, held: access.Credentials, stack: ExitStack) -> ConsulClient:
        ca_file = stack.enter_context(_file(held.ca_certificate))
        port = stack.enter_context(self._kube[dc.name].forward(pod, dc.namespace, HTTPS_PORT))
        client = ConsulClient(dc.name, port, held.token.reveal(), ca_file)
        stack.callback(client.close)
        return client


@contextmanager
def _file(text: str) -> Iterator[str]:
    """A public text as a file, for a library that takes only paths."""
    with tempfile.NamedTemporaryFile("w", prefix="meshkit-ca-", suffix=".crt") as file:
        file.write(text)
        file.flush()
        yield file.name
