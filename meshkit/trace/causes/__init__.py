"""The catalogue: causes in the order in which they are preferred within a hop, one file per category."""

from __future__ import annotations

from meshkit.trace.cause import Cause
from meshkit.trace.causes import (
    clocks,
    gateways,
    intentions,
    lookup,
    network,
    packets,
    planes,
    service,
    sidecars,
    trust,
    xds,
)

CATEGORIES: dict[str, tuple[Cause, ...]] = {
    "lookup": lookup.CAUSES,
    "sidecars": sidecars.CAUSES,
    "configuration": xds.CAUSES,
    "gateways": gateways.CAUSES,
    "packets": packets.CAUSES,
    "network": network.CAUSES,
    "certificates": trust.CAUSES,
    "clocks": clocks.CAUSES,
    "intentions": intentions.CAUSES,
    "the service": service.CAUSES,
    "planes": planes.CAUSES,
}

CATALOGUE: tuple[Cause, ...] = tuple(cause for causes in CATEGORIES.values() for cause in causes)


def by_code(code: str) -> Cause | None:
    """A cause by its code."""
    return next((cause for cause in CATALOGUE if cause.code == code), None)
