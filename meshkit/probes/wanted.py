"""What a user asks for, before it is known which addresses and identities that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshkit.probes.ladder import RUNGS
from meshkit.probes.probe import DEFAULT_INTERVAL_S, DEFAULT_TIMEOUT_S

LADDER, SERVICE = "ladder", "service"
LOCAL = "local"
"""The machine that meshkit runs on, as a source."""


@dataclass(frozen=True)
class Wanted:
    """One entry of probes.yaml, or what a command line says.

    ``kind`` is ``ladder`` (``rungs`` of it, for each ordered pair), ``service`` (``target["service"]`` of the mesh in
    each destination, as ``target["as"]``, else as the probe itself), or a mechanism with its own fields in ``target``,
    whose destination is only a label. No ``sources`` or ``destinations`` means every datacenter.
    """

    name: str
    kind: str = LADDER
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    rungs: tuple[str, ...] = tuple(RUNGS)
    target: Mapping[str, Any] = field(default_factory=dict)
    every_s: float = DEFAULT_INTERVAL_S
    timeout_s: float = DEFAULT_TIMEOUT_S
    expect: tuple[str, ...] = ()
    """Texts in the language of ``expect``, all of which are to hold."""
