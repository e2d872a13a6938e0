"""The evidence of one path, in three steps, each of them in all clusters at the same time.

Planes and clusters first. Then the pods and Envoys that those name, counters, the tagged request, counters again, and
meanwhile probes of the network. Last the handshakes, which would have counted as requests before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.federation.together import together
from meshkit.federation.tracing import clusters, dns, measure, planes, proxies, request, secrets
from meshkit.model import Datacenter
from meshkit.trace import choose, measures
from meshkit.trace.evidence import Evidence, Pod, Request, Side
from meshkit.trace.hops import Party, Route
from meshkit.trace.proxy import Proxy

PLANES_S, NETWORK_S, LAST_S = 7.0, 16.0, 23.0
"""When each step ends at the latest, in seconds from the beginning, for what hangs or a machine that is busy.

Each look has a shorter time of its own, and a side whose cluster could not be looked at is asked nothing more, so that
a trace of a broken path takes less than 10 s on an idle machine.
"""

LEAST_S = 1.0
"""What a step has at least, however long those before it took."""

HALF_OPEN_LEAST = measure.CONNECTS // 4
"""Of the probes' connections. A few are left by who tried on their own before, when the link was cut otherwise."""

SOURCE, DESTINATION = "source", "destination"
LOOKED = {
    "sockets": "where the destination's pod listens",
    SOURCE: "half-open connections of the source's gateway",
    DESTINATION: "half-open connections of the destination's gateway",
}
Unseen = dict[str, str]


@dataclass
class Sent:
    """The tagged request, the pods at its ends, and the Envoys between them: filled while it is under way."""

    pods: dict[str, Pod | None] = field(default_factory=dict)
    request: Request | None = None
    proxies: dict[str, Proxy] = field(default_factory=dict)


@dataclass
class Trace:
    """One trace under way."""

    context: Context
    route: Route
    path: str = "/"
    by_name: bool = False
    unseen: Unseen = field(default_factory=dict)
    seen: measure.Seen = field(default_factory=measure.Seen)
    sent: Sent = field(default_factory=Sent)
    began: float = 0.0

    def __call__(self) -> Evidence:
        """Look at everything once."""
        self.began, taken_at = self.context.clock.monotonic(), self.context.clock.now()
        source, destination = self._planes()
        looks: dict[str, Callable[[], Any]] = {
            "tagged request": partial(self._request, source, destination),
            "beyond": partial(planes.beyond, self.context, source, self.route),
            "network": partial(self._network, source, destination),
        }
        done, late = self._until(NETWORK_S, looks)
        self.unseen |= late
        for name in (SOURCE, DESTINATION):
            if name not in self.sent.pods:
                self.unseen.setdefault(f"{name}'s pod", "not looked for")
        view, unseen = done.get("beyond", (source.consul, {}))
        self.unseen |= unseen
        source = _with_proxies(replace(source, consul=view), self.sent, SOURCE)
        destination = _with_proxies(destination, self.sent, DESTINATION)
        source, destination = self._last(source, destination)
        self.unseen |= self.seen.unseen
        took_s = self.context.clock.monotonic() - self.began
        return Evidence(
            self.route,
            taken_at,
            source,
            destination,
            self.sent.request,
            self.seen.measured,
            self.unseen,
            took_s,
            self.by_name,
        )

    def _network(self, source: Side, destination: Side) -> None:
        measure.network(self.context, self.route, source, destination, self.seen, by_name=self.by_name)

    def _until(self, end_s: float, looks: dict[str, Callable[[], Any]]) -> tuple[dict[str, Any], Unseen]:
        """All these looks, until so long after the beginning."""
        left = end_s - (self.context.clock.monotonic() - self.began)
        return together(self.context.clock, looks, max(LEAST_S, left))

    def _planes(self) -> tuple[Side, Side]:
        """Kubernetes and Consul of both sides."""
        looks: dict[str, Callable[[], Any]] = {}
        for name, party in ((SOURCE, self.route.source), (DESTINATION, self.route.destination)):
            dc = self._datacenter(party)
            looks[f"{name}, {dc.name} cluster"] = partial(clusters.look, self.context, dc)
            looks[f"{name}, {dc.name} Consul"] = partial(planes.look, self.context, dc, party, self.route)
            looks[f"{name}, {dc.name} tokens"] = partial(secrets.lost_tokens, self.context, dc)
            looks[f"{name}, {dc.name} CA"] = partial(secrets.authority, self.context, dc)
            looks[f"{name}, {dc.name} gossip key"] = partial(secrets.gossip, self.context, dc)
            looks[f"{name}, {dc.name} DNS settings"] = partial(dns.forwards, self.context.kube[dc.name])
        answers, unseen = self._until(PLANES_S, looks)
        self.unseen |= unseen
        return self._side(SOURCE, self.route.source, answers), self._side(DESTINATION, self.route.destination, answers)

    def _side(self, name: str, party: Party, answers: dict[str, Any]) -> Side:
        dc = self._datacenter(party)
        side: Side | None = answers.get(f"{name}, {dc.name} cluster")
        if side is None:
            side = Side(dc.name, dc.context, dc.namespace, dc.primary, reachable=False)
        view, unseen = answers.get(f"{name}, {dc.name} Consul", (None, {}))
        self.unseen |= unseen
        return replace(
            side,
            consul=view,
            lost_tokens=answers.get(f"{name}, {dc.name} tokens", ()),
            ca=answers.get(f"{name}, {dc.name} CA", ""),
            gossip=answers.get(f"{name}, {dc.name} gossip key", ""),
            forwards=answers.get(f"{name}, {dc.name} DNS settings"),
        )

    def _datacenter(self, party: Party) -> Datacenter:
        return next(dc for dc in self.context.federation.datacenters if dc.name == party.datacenter)

    def _pods(self, source: Side, destination: Side) -> dict[str, Pod | None]:
        """The pods of both sidecars; None where no pod has the address that is registered."""
        looks: dict[str, Callable[[], Any]] = {}
        for name, side in ((SOURCE, source), (DESTINATION, destination)):
            if (entry := choose.sidecar(side)) and side.reachable:
                looks[name] = partial(clusters.behind, self.context.kube[side.datacenter], entry.address)
        answers, unseen = self._until(PLANES_S + LEAST_S, looks)
        self.unseen |= {f"{name}'s pod": why for name, why in unseen.items()}
        return answers

    def _request(self, source: Side, destination: Side) -> None:
        pods = self.sent.pods = self._pods(source, destination)
        source, destination = replace(source, pod=pods.get(SOURCE)), replace(destination, pod=pods.get(DESTINATION))
        places = self._places(source, destination)
        began = self.context.clock.now()
        earlier, unseen = proxies.before(self.context, places)
        self.unseen |= unseen
        self.sent.request = self._send(source)
        answering = {key: place for key, place in places.items() if key in earlier}
        self.sent.proxies, unseen = proxies.after(self.context, answering, earlier, began)
        self.unseen |= unseen

    def _places(self, source: Side, destination: Side) -> dict[str, proxies.Place]:
        found: dict[str, proxies.Place] = {}
        for name, side in ((SOURCE, source), (DESTINATION, destination)):
            if side.pod:
                found[f"{name} sidecar"] = proxies.Place(f"{name} sidecar", side.datacenter, side.pod)
            if self.route.crosses:
                for place, pod in enumerate(side.gateway_pods):
                    found[f"{name} gateway {place}"] = proxies.Place(f"{name} gateway", side.datacenter, pod)
        return found

    def _send(self, source: Side) -> Request | None:
        upstream = choose.upstream(source, self.route)
        if source.pod is None or upstream is None:
            entry = choose.sidecar(source)
            if upstream is None and entry and entry.transparent:
                self.unseen["tagged request"] = f"{entry.id} is transparent: it has no port for the destination"
            return None
        kube = self.context.kube[source.datacenter]
        try:
            return request.send(kube, source.pod, upstream, request.tag(), self.path)
        except (MeshkitError, OSError) as error:
            self.unseen["tagged request"] = str(error)
            return None

    def _last(self, source: Side, destination: Side) -> tuple[Side, Side]:
        """What comes after the request: handshakes, sockets of the destination, and of gateways that nobody reaches."""
        looks: dict[str, Callable[[], Any]] = {
            "handshakes": partial(measure.handshakes, self.context, self.route, source, destination, self.seen)
        }
        if destination.pod:
            looks["sockets"] = partial(self._sockets, destination, destination.pod)
        measured = self.seen.measured
        if all(name in measured and measured[name].failed == measured[name].sent for name in measures.BOTH_WAYS):
            for name, side in ((SOURCE, source), (DESTINATION, destination)):
                looks[name] = partial(self._half_open, side)
        done, late = self._until(LAST_S, looks)
        self.unseen |= {LOOKED.get(name, name): why for name, why in late.items()}
        if "sockets" in done:
            destination = replace(destination, pod=done["sockets"])
        source = replace(source, half_open=done.get(SOURCE))
        return source, replace(destination, half_open=done.get(DESTINATION))

    def _sockets(self, side: Side, pod: Pod) -> Pod:
        listening, _ = clusters.sockets(self.context.kube[side.datacenter], pod)
        return replace(pod, listening=listening)

    def _half_open(self, side: Side) -> bool:
        """Whether the probes' attempts to connect came in at a gateway, and its answers were lost."""
        kube, found = self.context.kube[side.datacenter], [pod for pod in side.gateway_pods if pod.ready]
        if not found:
            raise MeshkitError(f"{side.datacenter}: no gateway is ready")
        return sum(clusters.sockets(kube, pod)[1] for pod in found) >= HALF_OPEN_LEAST


def _with_proxies(side: Side, found: Sent, name: str) -> Side:
    gateways = [proxy for key, proxy in sorted(found.proxies.items()) if key.startswith(f"{name} gateway")]
    sidecar = found.proxies.get(f"{name} sidecar")
    return replace(side, pod=found.pods.get(name), sidecar=sidecar, gateway=choose.merged(gateways))
