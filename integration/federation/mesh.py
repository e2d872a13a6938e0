"""How a federation on the lab is looked at and used: through meshkit's own command line, and from inside its pods."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clusters import Lab

from meshkit.backends.kube import KubeClient
from meshkit.lab.waiting import wait_until

NAME = "mesh"
NAMESPACE = "consul"
INTERRUPTED = 130
SETTLED_S = 120.0
"""The longest wait for anything that comes true by itself; each wait ends as soon as it is true."""

PROBE, SERVER = ("deploy/mesh-probe", "sidecar"), ("consul-server-0", "consul")
VERIFYING = "through yet|still passes"
"""Said while requests are tried, of an intention that was just written or taken away."""

REQUEST = ("busybox", "wget", "-qO-")


@dataclass(frozen=True)
class Mesh:
    """The lab's clusters, seen as a federation; a context is also the name of its datacenter."""

    lab: Lab

    @property
    def names(self) -> tuple[str, ...]:
        """The two datacenters, the primary first."""
        return self.lab.names

    @property
    def folder(self) -> Path:
        """The federation's state on this machine."""
        return self.lab.state / NAME

    def elsewhere(self, state: Path, kubeconfig: Path | None = None) -> Mesh:
        """The same clusters from another machine: another state directory, and perhaps other credentials."""
        return Mesh(replace(self.lab, state=state, kubeconfig=kubeconfig or self.lab.kubeconfig))

    def meshkit(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run meshkit to its end."""
        return self.lab.meshkit(*arguments, check=check)

    def federate(self, *arguments: str) -> dict[str, Any]:
        """Federate both clusters; the result."""
        return dict(json.loads(self.meshkit("federate", *self.names, "--output", "json", *arguments).stdout))

    def status(self) -> dict[str, Any]:
        """What ``meshkit status`` sees, healthy or not."""
        return dict(json.loads(self.meshkit("status", "--output", "json", check=False).stdout))

    def checks(self) -> list[dict[str, str]]:
        """How every check ended."""
        return list(json.loads(self.meshkit("check", "--output", "json", check=False).stdout))

    def intentions(self) -> list[tuple[str, str, str]]:
        """Source, destination and action of every intention."""
        listed = json.loads(self.meshkit("intentions", "--output", "json").stdout)
        return [(entry["source"], entry["destination"], entry["action"]) for entry in listed]

    def kubectl(self, context: str, *arguments: str, check: bool = True) -> str:
        """Run kubectl in Consul's namespace."""
        return self.lab.kubectl(context, "-n", NAMESPACE, *arguments, check=check)

    def execute(self, context: str, place: tuple[str, str], *command: str, check: bool = True) -> str:
        """What a command in a pod's container printed."""
        pod, container = place
        return self.kubectl(context, "exec", pod, "-c", container, "--", *command, check=check)

    def request(self, source: str, target: str) -> str:
        """The datacenter that answers a new request from the source's probe to the target's; empty when refused."""
        port = self.upstream(source, target)
        answer = self.execute(source, PROBE, *REQUEST, f"http://127.0.0.1:{port}/", check=False)
        return str(json.loads(answer)["datacenter"]) if answer else ""

    def upstream(self, source: str, target: str) -> int:
        """The port of the source's probe that leads to the target's."""
        config = self.lab.get(source, "-n", NAMESPACE, "configmap", "mesh-probe")
        upstreams = json.loads(config["data"]["sidecar.json"])["Service"]["Proxy"]["Upstreams"]
        return int(next(u["LocalBindPort"] for u in upstreams if u["Datacenter"] == target))

    def connections(self, context: str, cluster: str) -> int:
        """Connections that the gateway of a datacenter has made towards an Envoy cluster, by the start of its name."""
        kube = KubeClient(context, str(self.lab.kubeconfig))
        gateway = self.kubectl(context, "get", "pods", "-l", "component=mesh-gateway", "-o", "name").split()[0]
        with kube.forward(gateway.removeprefix("pod/"), NAMESPACE, 19000) as port:
            url = f"http://127.0.0.1:{port}/stats?filter=upstream_cx_total"
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
        return sum(
            int(n)
            for n in re.findall(rf"^cluster\.{re.escape(cluster)}\..*upstream_cx_total: (\d+)$", text, re.MULTILINE)
        )

    def identity(self) -> dict[str, str]:
        """Digests of what must never change: the CA, gossip key and tokens here, and the first two in each cluster."""
        kept = {name: _digest((self.folder / name).read_bytes()) for name in ("authority.pem", "secrets.json")}
        for context in self.names:
            for secret in ("meshkit-ca", "meshkit-gossip"):
                data = self.lab.get(context, "-n", NAMESPACE, "secret", secret)["data"]
                kept[secret] = kept.get(secret, "") or _digest(json.dumps(data).encode())
                assert kept[secret] == _digest(json.dumps(data).encode()), f"{context} has another {secret}"
        return kept

    def stop_at(self, pattern: str, number: int, *arguments: str) -> tuple[int, str]:
        """Start meshkit, signal it as soon as it says what matches; its exit code and the rest of what it said."""
        # A test run in the background ignores SIGINT, and its children would too.
        command = ["env", "--default-signal=INT", str(Path(sys.executable).with_name("meshkit")), *arguments]
        with subprocess.Popen(
            command,
            env=self.lab.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as run:
            assert run.stderr is not None
            said = list(_until(run.stderr, pattern))
            assert re.search(pattern, said[-1]), f"never said {pattern}: {''.join(said)}"
            run.send_signal(number)
            rest = run.stderr.read()
        return run.returncode, rest

    def kill_at(self, pattern: str) -> None:
        """Start federate and kill it as soon as it says what matches."""
        code, _ = self.stop_at(pattern, signal.SIGKILL, "federate", *self.names)
        assert code == -signal.SIGKILL


def settles(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; an error says what was waited for."""
    wait_until(condition, SETTLED_S, what)


def writes(result: dict[str, Any]) -> list[dict[str, str]]:
    """What a run changed or a plan would change: everything but waiting and verifying."""
    changes = (change for step in result["steps"] for change in step["changes"])
    return [change for change in changes if change["action"] not in ("await", "verify")]


def _until(lines: Any, pattern: str) -> Iterator[str]:
    for line in lines:
        yield line
        if re.search(pattern, line):
            return


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
