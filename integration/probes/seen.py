"""What ``meshkit probe`` saw, as scripts read it: exit code, document, narration and how long it took."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from federation.mesh import Mesh

Series = tuple[str, str, str]
"""From, to, probe."""


@dataclass(frozen=True)
class Seen:
    """The end of one command."""

    code: int
    document: dict[str, Any]
    said: str
    took_s: float

    @property
    def series(self) -> dict[Series, dict[str, Any]]:
        """What was measured."""
        return {(one["from"], one["to"], one["probe"]): one for one in self.document["series"]}

    @property
    def ladders(self) -> dict[tuple[str, str], dict[str, Any]]:
        """By ordered pair."""
        return {(ladder["from"], ladder["to"]): ladder for ladder in self.document["ladders"]}

    @property
    def sent(self) -> dict[Series, int]:
        """Samples of each series."""
        return {series: int(one["sent"]) for series, one in self.series.items()}

    def reasons(self, *series: str) -> dict[str, int]:
        """How the samples of one series ended."""
        return dict(self.series[series[0], series[1], series[2]]["reasons"])

    def verdicts(self, source: str, destination: str) -> dict[str, bool]:
        """What was expected between two datacenters, and whether it holds."""
        return {
            one["condition"]: one["holds"]
            for one in self.document["expectations"]
            if (one["from"], one["to"]) == (source, destination)
        }


def probe(mesh: Mesh, *arguments: str) -> Seen:
    """Run ``meshkit probe``, whatever its exit code; it always says what it saw."""
    began = time.monotonic()
    done = mesh.meshkit("probe", *arguments, "--output", "json", check=False)
    took_s = time.monotonic() - began
    assert done.stdout, done.stderr
    return Seen(done.returncode, json.loads(done.stdout), done.stderr, took_s)
