"""Where a keeper's schedule comes from: a ConfigMap, and a copy on the pod's disk while the API server is away."""

from __future__ import annotations

from pathlib import Path

from meshkit.errors import MeshkitError, NotFoundError
from meshkit.probes.agent import schedule
from meshkit.probes.agent.kubernetes import Kubernetes
from meshkit.probes.agent.schedule import Schedule
from meshkit.probes.reasons import one_line

KEY = "probes.json"
COPY = "schedule.json"


class ScheduleSource:
    """Reads the schedule; the last good one holds until there is another, or its ConfigMap is gone."""

    def __init__(self, api: Kubernetes, name: str, data: Path) -> None:
        self._api, self._name, self._copy = api, name, data / COPY
        self._version = ""
        self.error = ""

    def kept(self) -> Schedule | None:
        """The copy of an earlier life, so that probing goes on before, and without, the API server."""
        try:
            return schedule.parse(self._copy.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none, or torn
            return None

    def read(self) -> Schedule | None:
        """A new schedule, None when it has not changed; MeshkitError when it can't be read or is none."""
        try:
            item = self._api.get(self._name)
        except NotFoundError:
            self._version, self.error = "", "there is no schedule"
            self._copy.unlink(missing_ok=True)
            return Schedule()
        version = str(item.get("metadata", {}).get("resourceVersion", ""))
        if version and version == self._version:
            return None
        try:
            text = item["data"][KEY]
            found = schedule.parse(text)
        except (KeyError, TypeError, ValueError) as error:
            self.error = one_line(f"{self._name} holds no schedule: {error}")
            raise MeshkitError(self.error) from error
        self._version, self.error = version, ""
        self._save(text)
        return found

    def _save(self, text: str) -> None:
        beside = self._copy.with_suffix(".new")
        try:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._copy)
        except OSError:
            self.error = "the schedule can't be kept on disk"
