"""Rolling an upgrade through a federation: one datacenter, proof that all is well, then the next.

A datacenter's new description is noted before Helm sees it, so ``federate`` never takes it back, and a run that was
killed goes on where it was. Nothing is undone by itself: whether the old version can read what the new one has written
is for its operator to say.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from meshkit.consul import upgrades
from meshkit.consul.names import CONSUL_RELEASE
from meshkit.errors import CombinedError, MeshkitError
from meshkit.events import Failed, Finished, Note, Progress, Started
from meshkit.federation import agent, releases, workloads
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair
from meshkit.federation.steps import trust, verify
from meshkit.federation.upgrade.plan import Move
from meshkit.federation.upgrade.target import Target, command, finished
from meshkit.model import Datacenter, Federation

TASK = "upgrade"
EXPECTED_S = 60.0
BEFOREHAND_S = 60.0
"""How long a federation may take to become well before an upgrade: a killed run leaves servers that still start."""


def prove_beforehand(context: Context) -> None:
    """MeshkitError when the federation is unwell already: an upgrade would hide why."""
    try:
        verify.prove(replace(context, timeout_s=min(context.timeout_s, BEFOREHAND_S)), context.federation.pairs)
    except MeshkitError as error:
        raise MeshkitError(
            f"the federation is unwell before the upgrade: {error.message}",
            hint="mend it first, meshkit doctor names the cause; if the upgrade is to mend it: --force",
            detail=error.detail,
        ) from error


def roll(context: Context, moves: Sequence[Move], *, mending: bool = False) -> None:
    """Bring every datacenter to its version in order; the first that is unwell afterwards ends it.

    With ``mending`` the federation may be unwell until the last datacenter is there: only then all is proven.
    """
    done: list[str] = []
    for move in moves:
        context = replace(context, federation=_with(context.federation, move.wanted))
        context.state.save_identity(context.federation)
        begin = context.clock.monotonic()
        name, to = move.datacenter.name, move.target.consul
        context.observe(Started(TASK, name, None if move.is_there else EXPECTED_S))
        try:
            _bring(context, move)
            if not mending or move is moves[-1]:
                _prove(context, name, everywhere=mending)
        except MeshkitError as error:
            context.observe(Failed(TASK, error.message, name))
            raise _stopped(context.federation, move, error, done, mending=mending) from error
        seconds = context.clock.monotonic() - begin
        text = f"Consul {to}{' was there already' if move.is_there else ''}"
        context.observe(Finished(TASK, seconds, name, changed=not move.is_there, text=text))
        done.append(name)
    if moves:
        context = replace(context, federation=finished(context.federation, moves[0].target))
        context.state.save_identity(context.federation)
        trust.mark(context)
    if context.federation.official and not all(move.is_there for move in moves):
        context.observe(Note("sidecars of pods that run keep their version until those pods restart"))


def _bring(context: Context, move: Move) -> None:
    """Both releases of a datacenter, and its workloads ready in their new version."""
    datacenter = move.wanted
    addresses = releases.addresses(context)
    if addresses is None:
        raise MeshkitError("a mesh gateway has lost its address", hint="meshkit federate waits for one")
    if not move.is_there:
        context.observe(Progress(TASK, f"Consul {move.before.consul} to {move.target.consul}", datacenter.name))
    releases.ensure(context, TASK, datacenter, releases.consul(context, datacenter, addresses))
    workloads.wait(context, TASK, datacenter, workloads.SERVERS, workloads.GATEWAYS)
    probe = releases.probe(context, datacenter)
    agent.ensure(context, datacenter, probe.values)
    releases.ensure(context, TASK, datacenter, probe)
    workloads.wait(context, TASK, datacenter, *workloads.of(context))
    agent.prune(context, datacenter)


def _prove(context: Context, name: str, *, everywhere: bool) -> None:
    """That all workloads are ready, the WAN is whole, and requests pass through a datacenter, or ``everywhere``."""
    context.each(lambda dc: workloads.wait(context, TASK, dc, *workloads.of(context)))
    pairs = context.federation.pairs if everywhere else tuple(_around(context.federation, name))
    verify.prove(context, pairs)


def _around(federation: Federation, name: str) -> Iterator[Pair]:
    """The pairs whose requests pass through a datacenter."""
    return (pair for pair in federation.pairs if name in (pair[0].name, pair[1].name))


def _with(federation: Federation, wanted: Datacenter) -> Federation:
    return replace(
        federation, datacenters=tuple(wanted if dc.name == wanted.name else dc for dc in federation.datacenters)
    )


def _stopped(
    federation: Federation, move: Move, error: MeshkitError, done: Sequence[str], *, mending: bool
) -> MeshkitError:
    """What failed, how far the upgrade has come, and the ways on and back.

    Back leads out of what is unwell, so it is forced; on leads from what was mended, unless this run was to mend it.
    """
    dc, before, to = move.datacenter, move.before, move.target.consul
    far = f" ({', '.join(done)} went well)" if done else ""
    if upgrades.is_way_back(before.consul, to):
        back = f"{command(federation, _before(federation, move))} --force"
    else:
        back = (
            f"helm --kube-context {shlex.quote(dc.context)} -n {dc.namespace} rollback {CONSUL_RELEASE} "
            f"{before.revision}, as long as no {to} server has started"
        )
    again = command(federation, move.target) + (" --force" if mending else "")
    reason = "; ".join(part.message for part in error.errors) if isinstance(error, CombinedError) else error.message
    return MeshkitError(
        f"the upgrade stopped: {dc.name} is unwell at Consul {to}{far}: {reason}",
        hint=f"once mended, go on: {again}" + ("" if move.is_there else f"; or go back: {back}"),
        detail=error.detail,
    )


def _before(federation: Federation, move: Move) -> Target:
    """What a datacenter had; where its chart lies is told by the description that is of that chart."""
    if not federation.official:
        return Target(move.before.consul)
    described = (federation.seen_from(move.datacenter), federation)
    path = next((seen.chart_path for seen in described if seen.chart_version == move.before.chart), "")
    return Target(move.before.consul, move.before.chart, path)
