"""Every breakage that the lab is broken by; each module enters its own into the one table."""

from tracing.breaking import access, catalog, clocks, dns, gateways, network, service, sidecars

# What takes Consul's servers down comes last: Envoys that have lost them wait longer and longer before they try again.
from tracing.breaking import servers  # isort: skip
from tracing.breaking.breakage import BREAKAGES, Breakage

MODULES = (access, catalog, clocks, dns, gateways, network, service, sidecars, servers)

__all__ = ["BREAKAGES", "MODULES", "Breakage", "access", "catalog", "gateways"]
