"""Where things are on a path: both sides, and every Envoy, each with its hop."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import measures
from meshkit.trace.evidence import Evidence, Side
from meshkit.trace.hops import Hop
from meshkit.trace.proxy import Proxy

ONE_OF_SEVERAL = (measures.OTHER, measures.SOURCE_POD, measures.DESTINATION_POD)


def ailing(evidence: Evidence) -> Iterator[str]:
    """What is tried for each of several gateways and instances, and did not end well: chance decides which is met."""
    for name, seen in evidence.measured.items():
        if name.startswith(ONE_OF_SEVERAL) and not seen.ok:
            yield name


def sides(evidence: Evidence) -> Iterator[tuple[Side, Hop]]:
    """Both sides, with the hop of their sidecars."""
    yield evidence.source, "source sidecar"
    yield evidence.destination, "remote sidecar"


def envoys(evidence: Evidence) -> Iterator[tuple[Proxy, Side, Hop]]:
    """Every Envoy of the path that could be read."""
    for side, proxy, hop in (
        (evidence.source, evidence.source.sidecar, "source sidecar"),
        (evidence.source, evidence.source.gateway, "source gateway"),
        (evidence.destination, evidence.destination.gateway, "remote gateway"),
        (evidence.destination, evidence.destination.sidecar, "remote sidecar"),
    ):
        if proxy is not None:
            yield proxy, side, hop  # type: ignore[misc]
