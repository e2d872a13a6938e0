"""What a breakage gets at: the lab, the federation, and the two services of the trace."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from os import kill
from pathlib import Path
from typing import Any

from clusters import Lab
from tracing import workload
from tracing.workload import NAMESPACE, SIDECAR_PORT, Workload

from meshkit.backends.base import Manifest
from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.federation.tracing import request
from meshkit.federation.tracing.gather import Trace
from meshkit.lab import register, wan
from meshkit.lab.topology import Node
from meshkit.lab.waiting import wait_until
from meshkit.report.trace import document
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.hops import Party, Route

SETTLED_S, ANSWERED_S, ACCEPTED_S = 60.0, 2.0, 1.0
WHOLE_S = 180.0
"""Gossip takes a server that was away for failed, and tries it again half a minute later."""

REQUEST, OK = b"GET / HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n", 200
IMPOSTOR = "impostor-node"
ENVOY = "/usr/local/bin/envoy"


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

    def trace(self, *, by_name: bool = False) -> dict[str, Any]:
        """What a trace says of the path: as the command does, without starting it."""
        ends = (Party(w.datacenter, w.name) for w in (self.source, self.destination))
        return document.as_json(diagnose(Trace(self.context, Route(*ends), by_name=by_name)()))

    def command(self, *arguments: str) -> dict[str, Any]:
        """What ``meshkit trace`` says of the path, and its exit code."""
        ends = (f"{w.datacenter}/{w.name}" for w in (self.source, self.destination))
        done = self.lab.meshkit("trace", *ends, "--output", "json", *arguments, check=False)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout)) | {"exit_code": done.returncode}

    def doctor(self) -> dict[str, Any]:
        """What ``meshkit doctor`` says of the federation."""
        done = self.lab.meshkit("doctor", "--output", "json", check=False)
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

    def deregister_node(self, node: str) -> None:
        """Remove a node of the destination's datacenter and all that is on it."""
        workload.deregister(self.context, self.destination.datacenter, node)

    def register_all(self) -> None:
        """Both entries of the destination as they should be."""
        self.register(self.destination.service())
        self.register(self.destination.sidecar())

    def answers(self) -> bool:
        """Whether a request from the source's loopback comes back well."""
        kube = self.context.kube[self.source.datacenter]
        with suppress(MeshkitError, OSError):  # its pod or its Envoy is down
            reply = kube.loopback_send(self.source.name, NAMESPACE, 9000, REQUEST, ANSWERED_S)
            return request.status(reply.data) == OK
        return False

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
        return self.pods(datacenter, "component=mesh-gateway")

    def pods(self, datacenter: str, selector: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
        """Pods by a label."""
        return list(self.lab.get(datacenter, "-n", namespace, "pods", "-l", selector)["items"])

    def known_gateways(self, datacenter: str, other: str) -> set[tuple[str, int]]:
        """The addresses and ports by which a datacenter reaches another's gateways."""
        found = [entry["Service"]["TaggedAddresses"]["wan"] for entry in self.consul(datacenter).gateways()[other]]
        return {(place["Address"], place["Port"]) for place in found}

    def iptables(self, address: str, *rule: str) -> None:
        """A rule in the network of the pod with an address."""
        enter = ["nsenter", f"--net={_network(address)}", "iptables", "-w"]
        subprocess.run([*enter, *rule], check=True, capture_output=True)

    @contextmanager
    def dropped(self, address: str, chain: str, *match: str, verdict: str = "DROP") -> Iterator[None]:
        """Packets that match are dropped in a pod's network for as long as the context is open."""
        self.iptables(address, "-I", chain, *match, "-j", verdict)
        try:
            yield
        finally:
            self.iptables(address, "-D", chain, *match, "-j", verdict)

    def configured(self, placed: Workload, words: str) -> None:
        """Wait until a workload's Envoy works by a configuration that holds these words: nothing of it is warming."""
        kube = self.context.kube[placed.datacenter]

        def given() -> bool:
            dump = kube.loopback_get(placed.name, NAMESPACE, 19000, ("/config_dump",))[0]
            return words in dump and "warming_state" not in dump

        self.settles(given, f"{words} in the configuration of {placed.name}'s Envoy")

    def streams(self, placed: Workload) -> bool:
        """Whether a workload's Envoy has a stream to a server."""
        kube = self.context.kube[placed.datacenter]
        stats = kube.loopback_get(placed.name, NAMESPACE, 19000, ("/stats?filter=control_plane.connected_state",))[0]
        return stats.strip().endswith(": 1")

    @contextmanager
    def held(self, connections: int) -> Iterator[None]:
        """So many connections from the source to a destination that does not answer them, made one after another.

        At once they would not do: when one fails, Envoy gives up all that wait in the same pool, and those that come
        up afterwards are nobody's, ready for the request of the trace.
        """
        self.switch("slow")
        mark, done = "held-connections", "/tmp/held"  # noqa: S108 - in the pod
        program = f"""# {mark}
import pathlib, socket, time
connections = []
for _ in range({connections}):
    connections.append(socket.create_connection(("127.0.0.1", 9000), timeout={ACCEPTED_S}))
    connections[-1].sendall(b"x")
    try:
        connections[-1].recv(1)
    except OSError:
        pass
pathlib.Path("{done}").touch()
time.sleep(600)
"""
        within = ("exec", self.source.name, "-c", "service", "--", "sh", "-c")
        ready = f"until [ -e {done} ]; do sleep 0.1; done"
        self.kubectl(
            self.source.datacenter,
            *within,
            f"rm -f {done}; python3 -c {shlex.quote(program)} >/dev/null 2>&1 & {ready}",
        )
        try:
            yield
        finally:
            end = f"for p in /proc/[0-9]*; do grep -q {mark} $p/cmdline 2>/dev/null && kill ${{p#/proc/}}; done; true"
            self.kubectl(self.source.datacenter, *within, end, check=False)
            self.switch("")

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
            self.deregister_node(IMPOSTOR)
            self.register_all()

    def stopped(self, address: str) -> AbstractContextManager[None]:
        """The Envoy in the pod with an address stands still."""
        return frozen(envoy_of(address))

    def process(self, program: str, datacenter: str) -> int:
        """The one process of the lab that runs a program of Kubernetes for a datacenter."""
        numbers = [pid for pid in _processes(program) if f"/{datacenter}/" in _command(pid)]
        assert len(numbers) == 1, numbers
        return numbers[0]

    def server(self, datacenter: str) -> int:
        """The process of a datacenter's only server."""
        address = self.pods(datacenter, "component=server")[0]["status"]["podIP"]
        return program_at("consul agent", address)

    def scale_servers(self, datacenter: str, replicas: int) -> None:
        """Consul's servers; returns when they are gone, or ready and led."""
        self.kubectl(datacenter, "scale", "statefulset", "consul-server", f"--replicas={replicas}")
        if replicas:
            self.kubectl(datacenter, "rollout", "status", "statefulset", "consul-server", "--timeout=60s")
        else:
            self.settles(lambda: not self.pods(datacenter, "component=server"), "no server pod")

    def renew_servers(self) -> None:
        """Replace the servers, one after the other: the new ones hold no connection of gossip that leads nowhere.

        Tests before may have taken gateways away. What a server still sends through one is resent for a quarter of an
        hour, in which the datacenters call each other's servers failed again and again.
        """
        for placed in (self.source, self.destination):
            self.kubectl(placed.datacenter, "delete", "pod", "consul-server-0")
            self.kubectl(placed.datacenter, "rollout", "status", "statefulset", "consul-server", "--timeout=60s")
        self.whole()

    def whole(self) -> None:
        """Wait until the datacenters see each other again, nothing is behind, and Envoys have their streams back."""
        wait_until(self.is_whole, WHOLE_S, "a federation that is whole again")

    def is_whole(self) -> bool:
        """Whether nothing harms the path, nor is about to: gossip calls a server failed half a minute after it was."""
        return all(self.gossips(placed.datacenter) for placed in (self.source, self.destination)) and (
            self.trace()["verdict"] == "healthy"
        )

    def gossips(self, datacenter: str) -> bool:
        """Whether the last WAN probes of a datacenter's server were answered: memberlist's health score is 0 then."""
        itself = self.consul(datacenter)._client.agent.self()
        return bool(itself["Stats"]["serf_wan"]["health_score"] == "0")

    def dns(self, datacenter: str) -> str:
        """The Corefile of a cluster."""
        return str(self.lab.get(datacenter, "-n", "kube-system", "configmap", "coredns")["data"]["Corefile"])

    def write_dns(self, datacenter: str, corefile: str) -> None:
        """Write it, and start CoreDNS anew: the kubelet would bring it a minute later."""
        where = (datacenter, "-n", "kube-system")
        body = json.dumps({"data": {"Corefile": corefile}})
        self.lab.kubectl(*where, "patch", "configmap", "coredns", "--type=merge", "-p", body)
        self.scale_dns(datacenter, 0)
        self.scale_dns(datacenter, 1)

    def scale_dns(self, datacenter: str, replicas: int) -> None:
        """CoreDNS's replicas; returns when they are gone or ready."""
        where = (datacenter, "-n", "kube-system")
        self.lab.kubectl(*where, "scale", "deployment", "coredns", f"--replicas={replicas}")
        if replicas:
            self.lab.kubectl(*where, "rollout", "status", "deployment", "coredns", "--timeout=60s")
        else:
            self.settles(lambda: not self.pods(datacenter, "k8s-app=kube-dns", "kube-system"), "no CoreDNS")

    def config(self, kind: str, name: str, **body: Any) -> None:
        """Write a config entry."""
        self.context.consul(self.context.federation.primary.name).write_config_entry(
            {"Kind": kind, "Name": name} | body
        )

    def no_config(self, kind: str, name: str) -> None:
        """Delete a config entry."""
        self.context.consul(self.context.federation.primary.name).delete_config_entry(kind, name)

    def kill_until_pause(self, placed: Workload, container: str, words: str) -> None:
        """Kill a workload's program until the kubelet waits before it starts the next for longer than a trace."""
        while not self.backs_off(placed, container):
            if pid := program_at(words, placed.address):
                kill(pid, signal.SIGKILL)
            self.settles(
                lambda: bool(self.backs_off(placed, container) or program_at(words, placed.address)),
                "the next, or a pause",
            )

    def backs_off(self, placed: Workload, container: str) -> bool:
        """Whether the kubelet waits before it starts one of a workload's containers again, and not for 10 s only."""
        states = self.lab.get(placed.datacenter, "-n", NAMESPACE, "pod", placed.name)["status"]
        found = next(state for state in states["containerStatuses"] if state["name"] == container)
        waiting = found["state"].get("waiting", {})
        first = waiting.get("message", "").startswith("back-off 10s")
        return waiting.get("reason") == "CrashLoopBackOff" and not first

    def switch(self, mode: str) -> None:
        """A fault of the destination's own program."""
        workload.switch(self.lab, self.destination, mode)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process stands still: its connections stay open, and nobody answers on them."""
    kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pid, signal.SIGCONT)


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
    found = program_at("", address)
    assert found, f"no process has the address {address}"
    return f"/proc/{found}/ns/net"


def envoy_of(address: str) -> int:
    """The Envoy that runs where an address is."""
    found = envoy_at(address)
    assert found, f"no Envoy has the address {address}"
    return found


def envoy_at(address: str) -> int:
    """The same, 0 while none runs."""
    return program_at(ENVOY, address)


def program_at(words: str, address: str) -> int:
    """A process whose command holds these words, where an address is; 0 while none runs."""
    for pid in _processes(words):
        with suppress(OSError):  # it ends as it is looked at
            if f"|-- {address}\n" in Path(f"/proc/{pid}/net/fib_trie").read_text():
                return pid
    return 0
