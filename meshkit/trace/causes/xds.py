"""What is wrong with an Envoy's configuration: it never came, was refused, waits, or no longer changes."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import Hop
from meshkit.trace.places import envoys

SHOWN = 240


def _never_configured(evidence: Evidence) -> Iterator[Symptom]:
    for proxy, side, hop in envoys(evidence):
        if not proxy.configured and not proxy.rejected:
            stream = "is not connected to a server" if proxy.connected is False else "has a stream to a server"
            text = f"{proxy.id} in pod {proxy.pod} has no listener: it {stream} and is {proxy.state}"
            yield Symptom(text, side.datacenter, hop, {"pod": proxy.pod})


def _disconnected(evidence: Evidence) -> Iterator[Symptom]:
    for proxy, side, hop in envoys(evidence):
        if proxy.connected is False and proxy.configured and not side.lost_tokens and side.consul:
            text = f"{proxy.id} in pod {proxy.pod} has no stream to a Consul server: what it does is what it last knew"
            yield Symptom(text, side.datacenter, hop, {"pod": proxy.pod})


def _rejected(evidence: Evidence) -> Iterator[Symptom]:
    """What is not of this path is a note: Envoy keeps its word on it, even of what nobody wants any longer."""
    for proxy, side, hop in envoys(evidence):
        for words in sorted(proxy.rejected, key=lambda words: not _concerns(evidence, hop, words))[:1]:
            text = f"{proxy.id} in pod {proxy.pod} refuses {words[:SHOWN]}"
            weight: Weight | None = None if _concerns(evidence, hop, words) else "note"
            yield Symptom(text, side.datacenter, hop, weight=weight)


def _concerns(evidence: Evidence, hop: Hop, words: str) -> bool:
    """Whether the path goes by what was refused; its name comes first, and a gateway has one listener for all."""
    there = evidence.route.destination
    if hop == "source sidecar":
        listener = words.startswith((f"{there.service}?", f"{there.service}:"))
        return listener or f"{there.service}.default.{there.datacenter}" in words
    return hop != "remote sidecar" or words.startswith(("public_listener", "local_app"))


def _warming(evidence: Evidence) -> Iterator[Symptom]:
    for proxy, side, hop in envoys(evidence):
        if proxy.warming:
            text = f"{proxy.id} in pod {proxy.pod} still warms {', '.join(proxy.warming[:3])}"
            yield Symptom(text, side.datacenter, hop)


CAUSES = (
    Cause(
        "xds_never_configured",
        "source gateway",
        "an Envoy has never been given a configuration",
        "it listens on nothing but its own admin; pods stay unready",
        "its admin shows no dynamic listener",
        "is its token known, its proxy registered? {kubectl_all} get pods -A | grep {pod}; then its logs",
        _never_configured,
    ),
    Cause(
        "xds_rejected",
        "source sidecar",
        "an Envoy refuses the configuration that Consul sends",
        "it goes on with the last that it took, or without any",
        "error_state in its /config_dump",
        "undo the escape hatch or extension that it names, in proxy-defaults or service-defaults",
        _rejected,
    ),
    Cause(
        "xds_disconnected",
        "source sidecar",
        "an Envoy has no stream to a Consul server",
        "changes do not reach it: new instances, intentions and certificates",
        "control_plane.connected_state is 0",
        "is its token known, are the servers reachable? {kubectl_all} get pods -A | grep {pod}; then its logs",
        _disconnected,
        weight="degrades",
    ),
    Cause(
        "xds_warming",
        "source sidecar",
        "an Envoy waits for part of its configuration",
        "what it waits for is not in force",
        "warming clusters or listeners in its /config_dump",
        "look again in a minute: meshkit trace {source_dc}/{source} {destination_dc}/{destination}",
        _warming,
        weight="degrades",
    ),
)
