"""What a breakage gets at: the lab, the federation, and the two services of the trace."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import kill
from pathlib import Path
from typing import Any

from clusters import Lab
from tracing import workload
from tracing.workload import NAMESPACE, SIDECAR_PORT, Workload

from meshkit.backends.base import Manifest
from meshkit.federation.context import Context
from meshkit.lab import register, wan
from meshkit.lab.topology import Node
from meshkit.lab.waiting import wait_until

SETTLED_S = 60.0
IMPOSTOR = "impostor-node"


@dataclass
class World:
    """``source`` and ``destination`` are in different datacenters; the source has an upstream for the destination."""

    lab: Lab
    context: Context
    source: Workload
    destination: Workload

    @property
    def nodes(self) -> tuple[Node, Node]:
        """The lab's nodes of both."""
        first, second = register.find(self.source.datacenter), register.find(self.destination.datacenter)
        return first, second

    def trace(self, *arguments: str) -> dict[str, Any]:
        """What ``meshkit trace`` says of the path."""
        ends = (f"{w.datacenter}/{w.name}" for w in (self.source, self.destination))
        done = self.lab.meshkit("trace", *ends, "--output", "json", *arguments, check=False)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout)) | {"exit_code": done.returncode}

    def kubectl(self, datacenter: str, *arguments: str, check: bool = True) -> str:
        """Kubectl in Consul's namespace."""
        return self.lab.kubectl(datacenter, "-n", NAMESPACE, *arguments, check=check)

    def consul(self, datacenter: str) -> Any:
        """A datacenter's Consul, for what the protocol has no method for."""
        return self.context.consul(datacenter)

    def register(self, entry: Manifest, datacenter: str = "") -> None:
        """Write a catalog entry of the destination's datacenter."""
        workload.register(self.context, datacenter or self.destination.datacenter, entry)

    def deregister(self, service: str = "") -> None:
        """Remove a service of the destination's node, or the node."""
        workload.deregister(self.context, self.destination.datacenter, self.destination.node, service)

    def register_all(self) -> None:
        """Both entries of the destination as they should be."""
        self.register(self.destination.service())
        self.register(self.destination.sidecar())

    def answers(self) -> bool:
        """Whether a request from the source comes back well."""
        fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9000/', timeout=3).status)"
        command = ("exec", self.source.name, "-c", "service", "--", "python3", "-c", fetch)
        return self.kubectl(self.source.datacenter, *command, check=False).strip() == "200"

    def settles(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        wait_until(condition, SETTLED_S, what)

    def fails(self) -> None:
        """Wait until a breakage is in force."""
        self.settles(lambda: not self.answers(), "a request that fails")

    def mends(self) -> None:
        """Wait until the path works again."""
        self.settles(self.answers, "a request that passes")

    def link(self, **change: Any) -> None:
        """Change the link both ways."""
        wan.set_link(*self.nodes, wan.LinkChange(**change))

    def scale(self, datacenter: str, replicas: int) -> None:
        """The mesh gateway's replicas; returns when the pods are gone or ready."""
        self.kubectl(datacenter, "scale", "deployment", "consul-mesh-gateway", f"--replicas={replicas}")
        if replicas:
            self.kubectl(datacenter, "rollout", "status", "deployment", "consul-mesh-gateway", "--timeout=60s")
        else:
            self.settles(lambda: not self.gateways(datacenter), "no gateway pod")

    def gateways(self, datacenter: str) -> list[dict[str, Any]]:
        """Pods of the mesh gateway."""
        found = self.lab.get(datacenter, "-n", NAMESPACE, "pods", "-l", "component=mesh-gateway")
        return list(found["items"])

    def iptables(self, address: str, *rule: str) -> None:
        """A rule in the network of the pod with an address."""
        enter = ["nsenter", f"--net={_network(address)}", "iptables", "-w"]
        subprocess.run([*enter, *rule], check=True, capture_output=True)

    @contextmanager
    def dropped(self, address: str, chain: str, *match: str) -> Iterator[None]:
        """Packets that match are dropped in a pod's network for as long as the context is open."""
        self.iptables(address, "-I", chain, *match, "-j", "DROP")
        try:
            yield
        finally:
            self.iptables(address, "-D", chain, *match, "-j", "DROP")

    @contextmanager
    def replaced(self, address: str, port: int = SIDECAR_PORT) -> Iterator[None]:
        """Another sidecar stands in the catalog for the destination's, whose Envoy goes on as it is."""
        entry = self.destination.sidecar()
        self.deregister(entry["Service"]["ID"])
        entry |= {"Node": IMPOSTOR, "Address": address}
        entry["Service"] |= {"Address": address, "Port": port}
        self.register(entry)
        try:
            self.fails()
            yield
        finally:
            workload.deregister(self.context, self.destination.datacenter, IMPOSTOR)
            self.register_all()

    @contextmanager
    def frozen_proxy_rules(self, datacenter: str) -> Iterator[None]:
        """kube-proxy of a datacenter stands still."""
        numbers = [pid for pid in _processes("kube-proxy") if f"/{datacenter}/" in _command(pid)]
        assert len(numbers) == 1, numbers
        kill(numbers[0], signal.SIGSTOP)
        try:
            yield
        finally:
            kill(numbers[0], signal.SIGCONT)

    def config(self, kind: str, name: str, **body: Any) -> None:
        """Write a config entry."""
        self.context.consul(self.context.federation.primary.name).write_config_entry(
            {"Kind": kind, "Name": name} | body
        )

    def no_config(self, kind: str, name: str) -> None:
        """Delete a config entry."""
        self.context.consul(self.context.federation.primary.name).delete_config_entry(kind, name)

    def backs_off(self) -> bool:
        """Whether the kubelet waits before it starts the destination's Envoy again."""
        states = self.lab.get(self.destination.datacenter, "-n", NAMESPACE, "pod", self.destination.name)["status"]
        envoy = next(state for state in states["containerStatuses"] if state["name"] == "envoy")
        return envoy["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    def switch(self, mode: str) -> None:
        """A fault of the destination's own program."""
        workload.switch(self.lab, self.destination, mode)


def _processes(word: str) -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and word in _command(int(entry.name))
    ]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _network(address: str) -> str:
    """The network namespace that has an address; any process in it will do."""
    for pid in _processes(""):
        with suppress(OSError):  # it ends as it is looked at
            if f"|-- {address}\n" in Path(f"/proc/{pid}/net/fib_trie").read_text():
                return f"/proc/{pid}/ns/net"
    raise AssertionError(f"no process has the address {address}")


def envoy_of(address: str) -> int:
    """The Envoy that runs where an address is."""
    found = envoy_at(address)
    assert found, f"no Envoy has the address {address}"
    return found


def envoy_at(address: str) -> int:
    """The same, 0 while none runs."""
    for pid in _processes("/usr/local/bin/envoy"):
        table = Path(f"/proc/{pid}/net/fib_trie")
        with suppress(OSError):  # it ends as it is looked at
            if f"|-- {address}\n" in table.read_text():
                return pid
    return 0
