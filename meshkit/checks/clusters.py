"""Clusters: their API servers answer, their clocks agree, and what is installed is what was described."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.model import FederationState

MAX_SKEW_S = 30


def _answering(state: FederationState) -> Iterator[Finding]:
    return (Finding(dc.name, dc.error) for dc in state.datacenters if dc.error)


def _clocks(state: FederationState) -> Iterator[Finding]:
    seen = sorted((dc for dc in state.datacenters if not dc.error), key=lambda dc: dc.skew_s)
    if seen and seen[-1].skew_s - seen[0].skew_s > MAX_SKEW_S:
        behind_s = seen[-1].skew_s - seen[0].skew_s
        yield Finding(seen[0].name, f"{seen[0].name} is {behind_s:.0f} s behind {seen[-1].name}")


def _drift(state: FederationState) -> Iterator[Finding]:
    return (Finding(dc.name, f"{dc.name}: {difference}") for dc in state.datacenters for difference in dc.drift)


CHECKS = (
    Check(
        "clusters",
        "every API server answers",
        "{kubectl} get pods",
        _answering,
        "nothing",
        codes=frozenset({"cluster_unreachable"}),
    ),
    Check(
        "clusters",
        "clocks agree to within 30 s",
        "set the clocks by NTP",
        _clocks,
        "cluster",
        codes=frozenset({"clock_skew"}),
    ),
    Check(
        "clusters",
        "what is installed is what is described",
        "meshkit federate brings it back; --dry-run shows the changes",
        _drift,
        "cluster",
        on_failure="warn",
    ),
)
