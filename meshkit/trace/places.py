"""Where things are on a path: both sides, and every Envoy, each with its hop."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.probes.reasons import OWN
from meshkit.trace import measures
from meshkit.trace.evidence import Evidence, Measured, Side
from meshkit.trace.hops import Hop
from meshkit.trace.proxy import Proxy

BEYOND_SOURCE = (measures.THERE, measures.AT_REMOTE_GATEWAY)


def ailing(evidence: Evidence) -> bool:
    """Whether one of several gateways or instances is known not to answer: chance decides which a connection meets."""
    pods = (silent_pods(evidence, prefix) for prefix in (measures.SOURCE_POD, measures.DESTINATION_POD))
    return any(failing(evidence, measures.OTHER)) or any(pods)


def failing(evidence: Evidence, prefix: str) -> dict[str, Measured]:
    """By address, what did not end well of what was tried at each of several, other than by the prober's own fault."""
    return {
        name.removeprefix(prefix): seen
        for name, seen in evidence.measured.items()
        if name.startswith(prefix) and not seen.ok and seen.reason not in OWN
    }


def silent_pods(evidence: Evidence, prefix: str) -> dict[str, Measured]:
    """A gateway's pods that do not answer, by address.

    Their handshakes end at the destination's sidecar, so they tell of a pod only where another one's passes, and where
    all that comes after it is well.
    """
    tried = [seen for name, seen in evidence.measured.items() if name.startswith(prefix)]
    beyond = (measures.AT_SIDECAR,) if prefix == measures.DESTINATION_POD else BEYOND_SOURCE
    later = [evidence.measured.get(name) for name in beyond]
    whole = all(seen is not None and seen.ok and not seen.resent for seen in later)
    if not whole or not any(seen.ok for seen in tried) or failing(evidence, measures.OTHER):
        return {}
    return failing(evidence, prefix)


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
