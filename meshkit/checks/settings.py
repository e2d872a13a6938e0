"""Settings: tokens and config entries have reached every datacenter."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.consul.config_entries import GATEWAY_MODE
from meshkit.model import FederationState


def _replication(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if dc.consul and dc.consul.replication:
            yield Finding(dc.name, f"{dc.name}: {dc.consul.replication}")


def _gateway_mode(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if dc.consul and dc.consul.gateway_mode != GATEWAY_MODE:
            yield Finding(dc.name, f"{dc.name} has mode {dc.consul.gateway_mode or 'unset'}")


def _default_deny(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if dc.consul and not dc.consul.default_deny:
            yield Finding(dc.name, f"{dc.name} has no intention that denies * to *")


CHECKS = (
    Check(
        "settings",
        "ACL tokens are copied from the primary",
        "meshkit status; is the primary up?",
        _replication,
        codes=frozenset({"replication_stopped"}),
    ),
    Check(
        "settings",
        "proxies use their own mesh gateway",
        "meshkit federate sets it again",
        _gateway_mode,
        codes=frozenset({"gateway_mode_none"}),
    ),
    Check("settings", "what no intention allows is denied", "meshkit federate sets it again", _default_deny),
)
