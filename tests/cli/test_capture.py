"""``meshkit capture`` as it is typed: live at gateways, from files, and every call that is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capture.traffic import BACKEND, tls
from fakes.captures import counts, packet
from fakes.federation import FakeFederation
from meshkit.capture import saved
from meshkit.capture.files import Writer
from meshkit.capture.session import Wanted
from meshkit.cli import capturing
from meshkit.errors import MeshkitError
from meshkit.events import Event, Progress, ignore
from meshkit.federation import runner
from report.captures import result as sample

Meshkit = Callable[..., Any]
POD = "consul-mesh-gateway-6d5f8b9c4-0"
CANARY = b"canary-9a81"


@pytest.fixture
def mesh(world: FakeFederation) -> FakeFederation:
    """A federation of aks and eks, with one connection through the gateway of aks whose payload is a canary."""
    runner.run(world.context())
    world.events.clear()
    wire = tls(out=True, server_port=443)
    wire.send(90, "PA", CANARY)
    world.clusters["aks"].captures.packets = {POD: [cut(p) for p in wire.packets]}
    return world


def cut(packet: Any) -> Any:
    """As the program in the pod has cut it: this one sends no payload, and nothing here may make one up."""
    return packet._replace(data=packet.data.replace(CANARY, b"").replace(b"answer", b""))


def saved_file(path: Path) -> Path:
    """A file with one connection, and a canary in its payload."""
    wire = tls()
    wire.send(90, "PA", CANARY)
    with Writer(path, directions=False) as file:
        for each in wire.packets:
            file.write(each)
        file.close()
    assert CANARY in path.read_bytes()
    return path


def test_help(meshkit: Meshkit, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it puts into the pod, and that this can't be taken out again."""
    monkeypatch.setenv("COLUMNS", "80")
    result = meshkit("capture", "--help")
    assert (result.code, result.err) == (0, "")
    assert "ephemeral container with NET_RAW" in " ".join(result.out.split())
    golden("help-capture.txt", re.sub(r"^Usage: .*?meshkit ", "Usage: meshkit ", result.out))


def test_live(meshkit: Meshkit, mesh: FakeFederation, tmp_path: Path) -> None:
    """A table on stdout, a pcap beside it, and no payload in either."""
    file = tmp_path / "x.pcap"
    result = meshkit("capture", "aks", "--gateway", "--for", "1s", "-w", str(file), "--connections")
    assert result.code == 0, result.err
    assert re.search(r"^out  service backend in aks +1 ", result.out, re.MULTILINE)
    assert re.search(r"gateway of eks:443|10\.0\.0\.2:443", result.out)
    assert "0 lost" in result.out
    assert "1 gateway pod, ports 443, 8443" in result.err
    assert mesh.clusters["aks"].captures.left == [POD]
    assert [c.server_name for c in saved.read(file, Wanted()).connections] == [BACKEND]
    assert CANARY not in file.read_bytes()
    assert CANARY.decode() not in result.out + result.err


def test_live_as_json(meshkit: Meshkit, mesh: FakeFederation) -> None:
    mesh.clusters["aks"].captures.last = counts(kernel=2, buffer=1)
    result = meshkit("capture", "aks", "--count", "5", "--sni", "backend.*", "-o", "json")
    document = json.loads(result.out)
    assert (document["source"], document["lost"]) == ("aks", {"kernel": 2, "buffer": 1})
    assert [each["sni"] for each in document["connections"]] == [BACKEND]


def test_ctrl_c_prints_the_result(meshkit: Meshkit, mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is how a capture without a time ends, so the exit code is 0; the program in the pod is told to stop."""

    def interrupt(self: capturing.View, result: Any, _: float) -> None:
        del self
        if result.packets:
            raise KeyboardInterrupt

    monkeypatch.setattr(capturing.View, "__call__", interrupt)
    result = meshkit("capture", "aks")
    assert result.code == 0, result.err
    assert "service backend in aks" in result.out
    assert mesh.clusters["aks"].captures.stopped == [POD]


def test_a_pod_that_goes_meanwhile_is_exit_code_1_and_what_came_is_shown(
    meshkit: Meshkit, mesh: FakeFederation, tmp_path: Path
) -> None:
    captures = mesh.clusters["aks"].captures
    lost = MeshkitError("aks: the connection to the pod is lost", hint="is it still there?")
    captures.raw = {POD: [counts(), *(packet(each) for each in captures.packets[POD]), lost]}
    result = meshkit("capture", "aks", "-w", str(tmp_path / "x.pcap"))
    assert result.code == 1
    assert "service backend in aks" in result.out
    assert "! aks: the connection to the pod is lost" in result.out
    assert "meshkit: error: aks: the connection to the pod is lost\nmeshkit: hint: is it still there?" in result.err
    assert saved.read(tmp_path / "x.pcap", Wanted()).packets > 0


def test_a_full_disk_is_exit_code_1_and_what_came_is_shown(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """However late it is noticed: small captures are written when they end."""
    del mesh
    result = meshkit("capture", "aks", "--for", "1s", "-w", "/dev/full", "--force")
    assert result.code == 1
    assert "service backend in aks" in result.out
    assert "meshkit: error: /dev/full can't be written: No space left on device" in result.err


def test_read(meshkit: Meshkit, tmp_path: Path) -> None:
    """No federation is needed, and what is written of the file has no payload."""
    file, copy = saved_file(tmp_path / "x.pcap"), tmp_path / "y.pcap"
    result = meshkit("capture", "--read", str(file), "-w", str(copy))
    assert (result.code, result.err) == (0, "")
    assert re.search(r"^- +service backend in aks +1 ", result.out, re.MULTILINE)
    assert CANARY not in copy.read_bytes()
    assert CANARY.decode() not in meshkit("capture", "--read", str(file), "-o", "json").out


def test_a_file_with_nothing_that_matches(meshkit: Meshkit, tmp_path: Path) -> None:
    result = meshkit("capture", "-r", str(saved_file(tmp_path / "x.pcap")), "--sni", "nobody.*", "-o", "json")
    assert (result.code, json.loads(result.out)["destinations"]) == (0, [])


WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("capture", "what is to be captured?"),
    "a datacenter and a file": ("capture aks --read {file}", "--read takes a file's packets"),
    "a time for a file": ("capture --read {file} --for 3s", "--for is for live captures"),
    "a pod for a file": ("capture --read {file} --pod x", "--pod is for live captures"),
    "an unknown datacenter": ("capture ask", "no datacenter ask is in federation mesh"),
    "a pod that is not there": ("capture aks --pod x", "aks: no gateway pod x runs"),
    "a time without a unit": ("capture aks --for 30", "--for: '30' is not a time"),
    "a time too long": ("capture aks --for 30d", "--for: 30d is out of bounds"),
    "a port that is none": ("capture aks --port 70000", "less than or equal to 65535"),
    "no packets": ("capture aks --count 0", "greater than or equal to 1"),
    "too many ports": (
        f"capture aks {' '.join(f'--port {n}' for n in range(1, 20))}",
        "too many ports",
    ),
    "a file that is there": ("capture aks -w {file}", "exists already"),
    "a folder that is not there": ("capture aks -w {folder}/no/x.pcap", "can't be written"),
    "the file that is read": ("capture --read {file} -w {file} --force", "-w would write over the file that is read"),
    "a file that is not there": ("capture --read {folder}/none.pcap", "can't be read"),
    "what is no capture": ("capture --read {folder}/text", "is no capture file"),
    "an empty file": ("capture --read {folder}/empty", "is empty"),
    "an unknown federation": ("capture aks --federation shop", "knows no federation shop"),
}


@pytest.mark.parametrize(("call", "error"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_touches_nothing(
    meshkit: Meshkit, mesh: FakeFederation, tmp_path: Path, call: str, error: str
) -> None:
    """One line, a hint, exit code 2, and nothing was put into a pod."""
    file = saved_file(tmp_path / "x.pcap")
    before = file.read_bytes()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    result = meshkit(*call.format(file=file, folder=tmp_path).split())
    assert (result.code, result.out) == (2, ""), result.err
    assert error in result.err
    assert "meshkit: hint: " in result.err
    assert mesh.clusters["aks"].captures.requests == {}
    assert file.read_bytes() == before


def test_no_gateway_and_no_cluster_are_exit_code_1(meshkit: Meshkit, mesh: FakeFederation) -> None:
    mesh.clusters["aks"].faults.unreachable = True
    result = meshkit("capture", "aks", "--for", "1s")
    assert (result.code, result.out) == (1, "")
    assert "meshkit: error: aks: the API server cannot be reached" in result.err


class TestView:
    """What is shown meanwhile."""

    def test_a_log_is_told_now_and_then(self) -> None:
        told: list[Event] = []
        with capturing.View(told.append, "aks") as view:
            for second in range(35):
                view(sample(), float(second))
        assert [event.text.partition(":")[0] for event in told if isinstance(event, Progress)] == [
            "10.00 s",
            "20.00 s",
            "30.00 s",
        ]

    def test_a_terminal_has_a_table(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """On stderr, and gone when it ends: stdout has the result alone."""
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        with capturing.View(lambda _: None, "aks") as view:
            view(sample(), 1.0)
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "aks  1.00 s: 53 packets" in printed.err
        assert "✘ 2" in printed.err

    def test_quiet_is_quiet(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        with capturing.View(ignore, "aks") as view:
            view(sample(), 100.0)
        assert capsys.readouterr() == ("", "")


def test_help_imports_no_packet_library() -> None:
    """Importing scapy takes half a second, and only a file needs it."""
    code = "import sys, meshkit.cli.capture, meshkit.federation.capture.run; print('scapy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_a_capture_needs_is_in_the_readme() -> None:
    """Permissions that meshkit does not need otherwise."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert "pods/ephemeralcontainers" in readme
    assert "pods/exec" in readme


def test_failures_of_several_pods_are_told_together() -> None:
    capturing.fail(())
    with pytest.raises(MeshkitError, match="2 parts of the capture failed"):
        capturing.fail((MeshkitError("a"), MeshkitError("b")))
