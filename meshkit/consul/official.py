"""The official chart's versions: which are known, what each installs, and where they come from.

The facts are in ``official.json``. A version that is newer than those but of the same minor is taken for its newest:
HashiCorp adds and removes keys with a minor, and a site must not wait for a new meshkit to mend a vulnerability.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def repository() -> str:
    """Where HashiCorp publishes the chart."""
    return str(_facts()["repository"])


def default() -> str:
    """The version that a new federation gets."""
    return str(_facts()["default"])


def collector_version() -> str:
    """The telemetry collector that every known version names."""
    return str(_facts()["collector"])


def versions() -> tuple[str, ...]:
    """Every version that meshkit is known to work with, the oldest first."""
    return tuple(_facts()["consul"])


def consul_version(chart: str) -> str:
    """The Consul that a chart's version installs by itself; of one that is not known, that of the nearest known."""
    return str(_facts()["consul"][known(chart) or default()])


def chart_for(consul: str) -> str:
    """The newest chart that installs a version of Consul, empty when none is known to."""
    found = [chart for chart, installs in _facts()["consul"].items() if installs == consul]
    return found[-1] if found else ""


def known(version: str) -> str:
    """The version itself when it is known, the newest known one of its minor when it is newer, empty otherwise."""
    parsed = _parsed(version)
    if version in versions() or parsed is None:
        return version if version in versions() else ""
    older = [v for v in versions() if (other := _parsed(v)) and other[:2] == parsed[:2] and other <= parsed]
    newest = [v for v in versions() if (other := _parsed(v)) and other[:2] == parsed[:2]]
    return older[-1] if older and older[-1] == newest[-1] else ""


def ranges() -> str:
    """The known versions as a person says them: ``1.9.0 to 1.9.11, 2.0.0 to 2.0.3``."""
    minors: dict[str, list[str]] = {}
    for version in versions():
        minors.setdefault(version.rpartition(".")[0], []).append(version)
    return ", ".join(f"{found[0]} to {found[-1]}" for found in minors.values())


def _parsed(version: str) -> tuple[int, ...] | None:
    found = _VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else None


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(Path(__file__).with_name("official.json").read_text())
    return facts
