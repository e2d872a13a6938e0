"""The plan of a run and its result, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from meshkit.consul.names import probe_service
from meshkit.model import Federation, host_port

SIGNS = {"create": "+", "update": "~", "replace": "~", "delete": "-", "await": "…", "verify": "?"}


class Change(Protocol):
    """See ``federation.change.Change``."""

    @property
    def action(self) -> str: ...  # noqa: D102

    @property
    def what(self) -> str: ...  # noqa: D102

    @property
    def datacenter(self) -> str: ...  # noqa: D102

    @property
    def why(self) -> str: ...  # noqa: D102


Steps = Sequence[tuple[str, Sequence[Change]]]


class StepResult(Protocol):
    """See ``federation.runner.StepResult``."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def seconds(self) -> float: ...  # noqa: D102

    @property
    def changes(self) -> Sequence[Any]: ...  # noqa: D102


def as_text(federation: Federation, steps: Steps) -> str:
    """The plan: one line per change, grouped by step; says so when there is nothing to do."""
    lines = [_head(federation)]
    for name, changes in steps:
        if changes:
            lines += [f"{name}:", *(f"  {_change_line(change)}" for change in changes)]
    if not any(_is_write(change) for _, changes in steps for change in changes):
        lines.append("nothing to change")
    return "\n".join(lines)


def as_json(federation: Federation, steps: Steps) -> dict[str, Any]:
    """The plan as data."""
    return {
        "federation": federation.name,
        "primary": federation.primary.name,
        "datacenters": [dc.name for dc in federation.datacenters],
        "steps": [{"name": name, "changes": _changes(changes)} for name, changes in steps],
    }


def result_as_text(federation: Federation, results: Sequence[StepResult], addresses: Mapping[str, str]) -> str:
    """What now stands, and what to do next."""
    lines = [f"federation {federation.name} works: {sum(r.seconds for r in results):.1f} s"]
    for dc in federation.datacenters:
        role = "primary" if dc.primary else "secondary"
        lines.append(f"  {dc.name:<12} {role:<10} gateway {host_port(addresses.get(dc.name, '?'), dc.gateway_port)}")
    if not federation.pairs:
        lines.append("next: meshkit federate CONTEXT, for a second datacenter")
        return "\n".join(lines)
    lines.append("  requests cross the gateways in every direction, allowed and refused as the intentions say")
    source, target = federation.pairs[0]
    allow = f"meshkit allow {probe_service(source.name)} {probe_service(target.name)}"
    lines.append(f"next: meshkit status; meshkit check; {allow}")
    return "\n".join(lines)


def result_as_json(
    federation: Federation, results: Sequence[StepResult], addresses: Mapping[str, str]
) -> dict[str, Any]:
    """The result as data; seconds per step."""
    return {
        "federation": federation.name,
        "primary": federation.primary.name,
        "datacenters": [
            {"name": dc.name, "context": dc.context, "gateway": {"address": addresses.get(dc.name, "")}}
            for dc in federation.datacenters
        ],
        "steps": [{"name": r.name, "seconds": round(r.seconds, 3), "changes": _changes(r.changes)} for r in results],
        "seconds": round(sum(r.seconds for r in results), 3),
    }


def _head(federation: Federation) -> str:
    names = ", ".join(f"{dc.name} (primary)" if dc.primary else dc.name for dc in federation.datacenters)
    return f"federation {federation.name}: {names}"


def _change_line(change: Change) -> str:
    where = f"{change.datacenter}: " if change.datacenter else ""
    why = f" ({change.why})" if change.why else ""
    return f"{SIGNS[change.action]} {where}{change.action} {change.what}{why}"


def _is_write(change: Change) -> bool:
    return change.action not in ("await", "verify")


def _changes(changes: Iterable[Change]) -> list[dict[str, str]]:
    return [{"action": c.action, "what": c.what, "datacenter": c.datacenter, "why": c.why} for c in changes]
