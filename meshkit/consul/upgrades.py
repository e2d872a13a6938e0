"""From which version of Consul to which an upgrade may go.

HashiCorp's rule is that one upgrade passes at most two release series ("major versions" in its own words, such as 1.20
to 1.22), and none goes back: a newer series may have written to its Raft log what an older one can't read. The series
are in ``upgrades.json``, in their order, since 2.0 follows 1.22.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.]+)?")


def source() -> str:
    """Where HashiCorp writes the rule."""
    return str(_facts()["source"])


def is_version(text: str) -> bool:
    """Whether a text names a version: three numbers, and perhaps a pre-release."""
    return _VERSION.fullmatch(text) is not None


def series(version: str) -> str:
    """The release series of a version: ``1.22`` of ``1.22.7``."""
    found = _VERSION.fullmatch(version)
    return f"{found[1]}.{found[2]}" if found else ""


def known() -> tuple[str, ...]:
    """Every release series that can be upgraded from or to, the oldest first."""
    return tuple(_facts()["series"])


def refusal(current: str, wanted: str) -> str:
    """Why Consul can't be brought from one version to another, empty when it can; equal ones are no matter."""
    before, after = series(current), series(wanted)
    for version, its_series in ((current, before), (wanted, after)):
        if its_series not in known():
            return f"meshkit knows nothing of Consul {version}: it knows {known()[0]} to {known()[-1]}"
    step = known().index(after) - known().index(before)
    if step < 0:
        return f"Consul can't go back from {current} to {wanted}: what {before} has written, {after} may not read"
    furthest = int(_facts()["furthest"])
    if step > furthest:
        between = known()[known().index(before) + furthest]
        return f"Consul can't go from {current} to {wanted} at once: first to {between}"
    return ""


def is_way_back(current: str, wanted: str) -> bool:
    """Whether the way from the one to the other is open in the other direction too."""
    return series(current) == series(wanted) != ""


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(Path(__file__).with_name("upgrades.json").read_text())
    return facts
