"""The plan of an upgrade: which datacenter goes from which version to which, and every reason why one can't.

What runs is read from the servers' workload, not from what is described: a run that was killed, or a rollback by hand,
leaves the two apart, and only what runs decides where Consul can go from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshkit.backends.base import Ref
from meshkit.consul import image, upgrades
from meshkit.consul.names import CONSUL_RELEASE, SERVERS
from meshkit.errors import CombinedError, MeshkitError
from meshkit.federation import chart_check
from meshkit.federation.context import Context
from meshkit.federation.upgrade.target import Target, brought, by_gitops
from meshkit.model import Datacenter

CONTAINER = "consul"


@dataclass(frozen=True)
class Running:
    """What a datacenter has: the version of its servers, its chart's, and the revision of its release."""

    consul: str
    chart: str
    revision: int


@dataclass(frozen=True)
class Move:
    """One datacenter's way; ``wanted`` is how it is described afterwards."""

    datacenter: Datacenter
    wanted: Datacenter
    before: Running
    target: Target

    @property
    def is_there(self) -> bool:
        """Whether its servers have the version already; it is still verified."""
        same_chart = not self.target.chart or self.before.chart == self.target.chart
        return self.before.consul == self.target.consul and same_chart


def plan(context: Context, target: Target) -> tuple[Move, ...]:
    """Every datacenter's way, the primary first; CombinedError with every reason why Consul can't go there."""
    if context.state.identity() is None or context.state.ca_certificate() is None:
        raise MeshkitError(
            "an upgrade runs on the machine that holds the federation's state", hint=f"restore {context.state.path}"
        )
    federation = context.federation
    if federation.gitops:
        raise MeshkitError(
            "the releases of this federation are GitOps's to upgrade",
            hint=by_gitops(federation, target),
        )
    running = context.each(lambda dc: observe(context, dc))
    ordered = (federation.primary, *federation.secondaries)
    moves = tuple(Move(dc, brought(federation, dc, target), running[dc.name], target) for dc in ordered)
    problems = tuple(MeshkitError(f"{m.datacenter.name}: {why}") for m in moves if (why := _refusal(m)))
    if problems:
        raise CombinedError(
            f"Consul {target.consul} can't be reached from here; nothing was changed",
            problems,
            hint=f"the rules are Consul's own: {upgrades.source()}",
        )
    _check_chart(context, moves)
    return moves


def _check_chart(context: Context, moves: Sequence[Move]) -> None:
    """CombinedError when the new chart can't be had, or does not take the values that there are."""
    wanted = {move.datacenter.name: move.wanted for move in moves}
    datacenters = tuple(wanted[dc.name] for dc in context.federation.datacenters)
    afterwards = replace(context.federation, datacenters=datacenters)
    problems = tuple(chart_check.problems(replace(context, federation=afterwards)))
    if problems:
        raise CombinedError("the new chart is not ready to be installed; nothing was changed", problems)


def observe(context: Context, datacenter: Datacenter) -> Running:
    """The version that the servers' StatefulSet asks for, and what Helm says of the release."""
    found = context.kube[datacenter.name].get(Ref("StatefulSet", SERVERS, datacenter.namespace))
    if found is None:
        raise MeshkitError(f"{datacenter.name}: there are no Consul servers", hint="meshkit federate brings them")
    helm = context.helm(datacenter.name)
    chart = helm.chart(CONSUL_RELEASE, datacenter.namespace)
    release = helm.release(CONSUL_RELEASE, datacenter.namespace)
    containers = found["spec"]["template"]["spec"]["containers"]
    container = next((c for c in containers if c["name"] == CONTAINER), containers[0])
    version = image.version(str(container.get("image", ""))) or (chart.app_version if chart else "")
    return Running(version, chart.version if chart else "", release.revision if release else 0)


def _refusal(move: Move) -> str:
    return upgrades.refusal(move.before.consul, move.target.consul)
