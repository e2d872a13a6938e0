"""Which chart goes where, where the official one is kept, and what identifies their content.

The official chart is pulled once and kept beside the state, so what was installed can be compared without a network.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from meshkit.backends.base import Helm
from meshkit.config import consul_chart
from meshkit.consul import official
from meshkit.consul.names import CONSUL_CHART
from meshkit.errors import MeshkitError, NotFoundError
from meshkit.federation import state
from meshkit.model import Federation

CACHE = ".charts"
"""In the state directory; no federation can have a name with a dot."""

_PULLING = threading.Lock()
"""Once for all datacenters."""


def folder() -> Path:
    """Where the charts are: in the package once installed, at the top of the source tree before."""
    package = Path(__file__).parent.parent
    installed = package / "_charts"
    return installed if installed.exists() else package.parent / "charts"


def consul(federation: Federation) -> Path:
    """The chart of the Consul release, whether or not it is there: ``fetch`` brings the official one."""
    if federation.chart_path:
        return Path(federation.chart_path)
    if not federation.official:
        return folder() / "consul"
    place = hashlib.sha256(_repository(federation).encode()).hexdigest()[:12]
    return state.root() / CACHE / place / f"{CONSUL_CHART}-{federation.chart_version}.tgz"


def fetch(federation: Federation, helm: Helm) -> Path:
    """The chart of the Consul release, pulled if it is not at hand.

    MeshkitError for a repository that can't be reached or lacks it, and for something else in its place.
    """
    path, version = consul(federation), federation.chart_version
    with _PULLING:
        if federation.official and not federation.chart_path and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                pulled = helm.pull(_repository(federation), CONSUL_CHART, version, path.parent)
            except MeshkitError as error:
                raise type(error)(error.message, hint=error.hint or _known(), detail=error.detail) from error
            pulled.replace(path)
    _verify(path, federation)
    return path


def installs(federation: Federation, helm: Helm) -> str:
    """The Consul that the chart itself says it installs, empty when it does not; errors as of ``fetch``."""
    return consul_chart.at(str(fetch(federation, helm)), Path()).consul


def _verify(path: Path, federation: Federation) -> None:
    """That a path still holds what the description says: files change, and archives arrive torn."""
    again = "name it again: --chart PATH" if federation.chart_path else f"rm {path}; it is pulled anew"
    try:
        found = consul_chart.at(str(path), Path())
    except consul_chart.UnusableError as error:
        raise MeshkitError(f"{path} holds no chart of Consul any more", hint=again) from error
    if found.kind != federation.chart or (federation.official and found.version != federation.chart_version):
        held = f"the {found.kind} chart {found.version}"
        wanted = f"the {federation.chart} chart {federation.chart_version}".rstrip()
        raise MeshkitError(f"{path} holds {held}, and {wanted} is described", hint=again)


def _repository(federation: Federation) -> str:
    return federation.chart_repo or official.repository()


def _known() -> str:
    return f"meshkit is known to work with {official.ranges()}"


def probe() -> Path:
    """The chart of the probe."""
    return folder() / "mesh-probe"


def schedule() -> Path:
    """The chart of what the probe's agents do on a schedule."""
    return folder() / "mesh-probe-schedule"


def digest(chart: Path) -> bytes:
    """Changes with any file of a chart (a folder or an archive), by name or content; NotFoundError when it is gone."""
    if not chart.exists():
        raise NotFoundError(
            f"the chart {chart} is not on this machine", hint="meshkit federate pulls it, or --chart PATH"
        )
    if chart.is_file():
        return hashlib.sha256(chart.read_bytes()).digest()
    found = hashlib.sha256()
    for path in sorted(p for p in chart.rglob("*") if p.is_file()):
        found.update(f"{path.relative_to(chart)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.digest()
