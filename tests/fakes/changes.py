"""Ways to change one thing of a path's evidence, each as a function of the evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fakes import evidence as seen
from fakes.evidence import CRITICAL, FAR, NEAR, TIMEOUT, healthy
from meshkit.trace import measures
from meshkit.trace.evidence import Chain, Evidence, Measured, Rule, Upstream

Change = Callable[[Evidence], Evidence]


def views(source: dict[str, object] | None = None, destination: dict[str, object] | None = None) -> Change:
    return lambda e: seen.closed(seen.with_views(e, source or {}, destination or {}))


def denied(action: str, source: str = "", destination: str = "") -> Change:
    rule = Rule(action, source, destination)
    return views({"rule": rule}, {"rule": rule})


def envoy(place: str, **changes: object) -> Change:
    return lambda e: seen.closed(seen.with_proxy(e, place, **changes))


def sidecar(**changes: object) -> Change:
    """The destination's sidecar, registered otherwise."""

    def change(evidence: Evidence) -> Evidence:
        view = evidence.destination.consul
        assert view
        assert view.sidecars
        return seen.closed(seen.with_views(evidence, {}, {"sidecars": (replace(view.sidecars[0], **changes),)}))

    return change


def listening(*places: tuple[str, int]) -> Change:
    """The destination's pod, listening otherwise."""

    def change(evidence: Evidence) -> Evidence:
        assert evidence.destination.pod
        envoys = {("10.42.0.5", 20000), ("127.0.0.1", 19000)}
        pod = replace(evidence.destination.pod, listening=frozenset(envoys | set(places)))
        return seen.closed(seen.with_destination(evidence, pod=pod))

    return change


def chain(**changes: object) -> Change:
    return views({"chain": Chain(**({"default": False} | changes))})


def cut(*, source: bool | None, destination: bool | None) -> Change:
    def change(evidence: Evidence) -> Evidence:
        evidence = seen.with_measured(evidence, THERE=TIMEOUT, BACK=TIMEOUT)
        evidence = seen.with_source(evidence, half_open=source)
        return seen.with_request(seen.with_destination(evidence, half_open=destination), ended="timeout", head="")

    return change


def measured(**changes: Measured) -> Change:
    return lambda e: seen.closed(seen.with_measured(e, **changes))


def passes(change: Change) -> Change:
    """The same, while the request passes."""
    return lambda e: replace(change(e), request=healthy().request)


def counted(evidence: Evidence, *, sidecar: dict[str, int], gateway: dict[str, int]) -> Evidence:
    """What the source's Envoys counted; those of the destination got nothing."""
    for place, counters in (("source sidecar", sidecar), ("source gateway", gateway)):
        evidence = seen.with_proxy(evidence, place, counters=counters)
    for place in ("destination gateway", "destination sidecar"):
        evidence = seen.with_proxy(evidence, place, counters={})
    return evidence


def leaving_vanishes(evidence: Evidence) -> Evidence:
    """The source's gateway gets no further; the probe's pod beside it does."""
    sidecar, gateway = ({f"cluster.{name}.upstream_cx_total": 1} for name in (FAR, NEAR))
    through = seen.with_measured(evidence, THROUGH=Measured("timeout_tls", failed=1))
    return seen.closed(counted(through, sidecar=sidecar, gateway=gateway))


def estranged(source: dict[str, int], destination: dict[str, int]) -> Change:
    """Counters of a handshake between the sidecars that fails; the other's has connected to its service by then."""

    def change(evidence: Evidence) -> Evidence:
        assert evidence.destination.sidecar
        mine = {f"cluster.{FAR}.upstream_cx_total": 1, f"cluster.{FAR}.upstream_cx_connect_fail": 1}
        local = {"cluster.local_app.upstream_cx_total": 1, "tcp.public_listener.downstream_cx_total": 1}
        evidence = seen.with_proxy(evidence, "source sidecar", counters=mine | source)
        return seen.closed(seen.with_proxy(evidence, "destination sidecar", counters=local | destination))

    return change


def gateway_pod(prefix: str) -> Change:
    """One of two pods of a gateway takes connections and does not answer on them."""
    return lambda e: seen.closed(of_several(e, prefix, "ok", "timeout_tls"))


def of_several(evidence: Evidence, prefix: str, *reasons: str) -> Evidence:
    """How what was tried at each of several ended."""
    found = {f"{prefix}10.42.9.{n}": Measured(reason, failed=reason != "ok") for n, reason in enumerate(reasons)}
    return replace(evidence, measured=dict(evidence.measured) | found)


def critical(evidence: Evidence) -> Evidence:
    view = evidence.destination.consul
    assert view
    assert view.instances
    ill = tuple(replace(entry, checks=CRITICAL) for entry in view.instances)
    return seen.closed(seen.with_views(evidence, {}, {"instances": ill}))


def leaf(place: str, **changes: object) -> Change:
    def change(evidence: Evidence) -> Evidence:
        side = evidence.source if place.startswith("source") else evidence.destination
        assert side.sidecar
        assert side.sidecar.leaf
        return seen.closed(seen.with_proxy(evidence, place, leaf=replace(side.sidecar.leaf, **changes)))

    return change


def no_upstream(evidence: Evidence) -> Evidence:
    view = evidence.source.consul
    assert view
    assert view.sidecars
    other = (replace(view.sidecars[0], upstreams=(Upstream("other", "aks", "127.0.0.1", 9000),)),)
    return replace(seen.with_views(evidence, {"sidecars": other}, {}), request=None)


def no_gateway_mode(evidence: Evidence) -> Evidence:
    view = evidence.source.consul
    assert view
    assert view.sidecars
    upstream = replace(view.sidecars[0].upstreams[0], mode="")
    changed = (replace(view.sidecars[0], upstreams=(upstream,)),)
    direct = seen.with_proxy(evidence, "source sidecar", clusters={FAR: seen.cluster(FAR, "10.42.0.5", 20000)})
    return seen.closed(seen.with_views(direct, {"sidecars": changed, "gateway_mode": ""}, {}))


def remote_mode(evidence: Evidence) -> Evidence:
    """The source's sidecar goes to the other datacenter's gateway by itself."""
    view = evidence.source.consul
    assert view
    assert view.sidecars
    upstream = replace(view.sidecars[0].upstreams[0], mode="remote")
    changed = (replace(view.sidecars[0], upstreams=(upstream,)),)
    return seen.closed(seen.with_views(evidence, {"sidecars": changed}, {}))


def dns(reason: str, *, cluster: str = "ok", forwards: bool | None = True, by_name: bool = False) -> Change:
    """How the look-ups of the source's cluster end."""

    def change(evidence: Evidence) -> Evidence:
        found = {
            "DNS": Measured(reason, failed=reason != "ok"),
            "CLUSTER_DNS": Measured(cluster, failed=cluster != "ok"),
        }
        evidence = seen.with_source(seen.with_measured(evidence, **found), forwards=forwards)
        return replace(evidence, by_name=by_name)

    return change


def skewed(place: str, skew_s: float) -> Change:
    """One Envoy's clock is so far ahead; the others are right."""
    return lambda e: seen.with_proxy(e, place, skew_s=skew_s)


def crashing(evidence: Evidence) -> Evidence:
    """The service's container does not run, and another of its pod listens on a port of its own."""
    changed = listening(("127.0.0.1", 9090))(evidence)
    assert changed.destination.pod
    pod = replace(changed.destination.pod, ready=False, troubles=("app: CrashLoopBackOff",))
    return seen.with_destination(changed, pod=pod)


def other_instance(reason: str) -> Change:
    """Another instance of the destination answers so."""

    def change(evidence: Evidence) -> Evidence:
        found = {f"{measures.OTHER}10.42.0.6:20000": Measured(reason, failed=1)}
        return seen.closed(replace(evidence, measured=dict(evidence.measured) | found))

    return change


def all_clocks(skew_s: float) -> Change:
    """Both clusters' clocks are so far ahead of this machine's."""
    return lambda e: seen.with_source(seen.with_destination(e, skew_s=skew_s), skew_s=skew_s + 0.4)


def impatient(evidence: Evidence) -> Evidence:
    """The source's Envoy gives up a connection after 50 ms, where one takes three times that."""
    cluster = replace(seen.cluster(FAR, "10.43.1.1", 443), connect_timeout_s=0.05)
    counters = {f"cluster.{FAR}.upstream_cx_connect_timeout": 1}
    return seen.closed(seen.with_proxy(evidence, "source sidecar", clusters={FAR: cluster}, counters=counters))
