"""What a step would do, as data: the plan that ``--dry-run`` prints and that the runner acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Change:
    """One difference between what is described and what exists."""

    action: Literal["create", "update", "replace", "delete", "await", "verify"]
    what: str
    datacenter: str = ""
    why: str = ""
