"""Which chart goes where, and what identifies their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from meshkit.errors import MeshkitError
from meshkit.model import Federation


def folder() -> Path:
    """Where the charts are: in the package once installed, at the top of the source tree before."""
    package = Path(__file__).parent.parent
    installed = package / "_charts"
    return installed if installed.exists() else package.parent / "charts"


def consul(federation: Federation) -> Path:
    """The chart of the Consul release."""
    if federation.chart_path:
        return Path(federation.chart_path)
    if federation.official:
        raise MeshkitError("the official chart comes from a path", hint="--chart PATH")
    return folder() / "consul"


def probe() -> Path:
    """The chart of the probe."""
    return folder() / "mesh-probe"


def schedule() -> Path:
    """The chart of what the probe's agents do on a schedule."""
    return folder() / "mesh-probe-schedule"


def digest(chart: Path) -> bytes:
    """Changes with any file of a chart (a folder or an archive), by name or content."""
    if chart.is_file():
        return hashlib.sha256(chart.read_bytes()).digest()
    found = hashlib.sha256()
    for path in sorted(p for p in chart.rglob("*") if p.is_file()):
        found.update(f"{path.relative_to(chart)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.digest()
