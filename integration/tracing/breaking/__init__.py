"""Every breakage that the lab is broken by; each module enters its own into the one table."""

from tracing.breaking import access, catalog, gateways, network, service, sidecars
from tracing.breaking.breakage import BREAKAGES, Breakage

__all__ = ["BREAKAGES", "Breakage", "access", "catalog", "gateways", "network", "service", "sidecars"]
