"""The clusters of the kubeconfigs, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshkit.model import Candidate
from meshkit.platforms.catalogue import platform

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def as_table(found: Sequence[Candidate]) -> Table:
    """One line per context."""
    columns = ("context", "cloud", "region", "kubernetes", "nodes", "federation", "joins", "tags")
    return columns, [_row(each) for each in found]


def remarks(found: Sequence[Candidate]) -> Iterator[str]:
    """Why a cluster was not seen, or can't join, one line each."""
    for each in found:
        if each.error or each.reason:
            yield f"{'!' if each.error else '~'} {each.context}: {each.error or each.reason}"


def as_json(found: Sequence[Candidate]) -> list[dict[str, Any]]:
    """What scripts rely on; all tags, those of the clouds included."""
    return [
        {
            "context": each.context,
            "kubeconfig": each.file,
            "server": each.server,
            "cloud": each.platform,
            "region": each.region,
            "zones": list(each.zones),
            "kubernetes": each.version,
            "nodes": each.nodes,
            "tags": dict(each.tags),
            "federation": _membership(each),
            "can_join": each.can_join,
            "reason": each.reason,
            "error": each.error,
        }
        for each in found
    ]


def _membership(each: Candidate) -> Mapping[str, Any] | None:
    if not each.federation:
        return None
    return {"name": each.federation, "datacenter": each.datacenter, "primary": each.primary}


def _row(each: Candidate) -> tuple[str, ...]:
    known = platform(each.platform)
    return (
        each.context,
        known.title if known else "-",
        each.region or "-",
        each.version or "-",
        str(each.nodes) if each.version else "-",
        f"{each.federation}/{each.datacenter}{' (primary)' if each.primary else ''}" if each.federation else "-",
        "yes" if each.can_join else "member" if each.federation else "no",
        ",".join(f"{name}={value}" for name, value in sorted(each.shown.items())) or "-",
    )
