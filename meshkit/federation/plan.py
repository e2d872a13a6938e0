"""The procedure: federate is these steps, top to bottom.

A step first observes (``plan``: what would change, reads only), then acts where something is missing, then verifies.
Each is safe to run again after a kill at any point, because what it needs to know is read from the clusters and
from the state directory, never from a step before it in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.steps import datacenters, gateways, preflight, proxies, settings, trust, verify


@dataclass(frozen=True)
class Step:
    """``plan`` lists what is not yet as described; ``act`` brings it about and returns when that is seen to hold."""

    name: str
    does: str
    plan: Callable[[Context], tuple[Change, ...]]
    act: Callable[[Context], None]
    expected_s: float


STEPS = (
    Step("preflight", "look at every cluster before touching any", preflight.plan, preflight.act, 2),
    Step("trust", "one CA, certificates, gossip key and tokens", trust.plan, trust.act, 2),
    Step("gateways", "a load balancer with an address per cluster", gateways.plan, gateways.act, 3),
    Step("datacenters", "Consul servers and gateways through Helm", datacenters.plan, datacenters.act, 10),
    Step("settings", "tokens, proxy defaults and default deny", settings.plan, settings.act, 1),
    Step("proxies", "servers, gateways and probes ready everywhere", proxies.plan, proxies.act, 15),
    Step("verify", "requests through the mesh in both directions", verify.plan, verify.act, 4),
)
