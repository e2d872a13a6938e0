"""What the keeper tells: its metrics, its results, its view for the peers, and how it is."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import meshkit
from meshkit.probes import peers
from meshkit.probes.agent import exposition, views
from meshkit.probes.agent.metrics import Family, Kind
from meshkit.probes.agent.server import Handler, Page, page
from meshkit.probes.summary import Summary

if TYPE_CHECKING:
    from meshkit.probes.agent.keeper import Keeper

SILENT_S = 10.0
"""The prober says something several times a second; after this long without a word it is not well."""


class Pages:
    """By path. Each is made in the asking request's thread, from copies."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def by_path(self) -> Mapping[str, Handler]:
        """For the server."""
        return {"/metrics": self.metrics, "/results": self.results, "/view": self.view, "/health": self.health}

    def metrics(self, _query: Mapping[str, str]) -> Page:
        """Prometheus text."""
        body = exposition.text(self.families()).encode()
        return Page(HTTPStatus.OK, exposition.CONTENT_TYPE, iter([body]))

    def results(self, query: Mapping[str, str]) -> Page:
        """Summaries that end after ``since`` (Unix seconds), the open window's among them."""
        since = float(query.get("since", "0"))
        if not math.isfinite(since):
            raise ValueError("since is not a time in Unix seconds")
        return Page(HTTPStatus.OK, "application/json", self._results(since))

    def view(self, _query: Mapping[str, str]) -> Page:
        """What this agent sees now, for its peers."""
        own = self._view()
        windows = [summary.as_wire() for summary in own]
        return page({"source": self._source, "now": time(), "sick": self._sick(own), "windows": windows})

    def health(self, _query: Mapping[str, str]) -> Page:
        """How it is: 503 when nothing is probed that should be."""
        keeper, child = self._keeper, self._keeper.child
        alive = child.alive and monotonic() - keeper.heard_at < SILENT_S
        given = keeper.schedule
        value: dict[str, Any] = {
            "ok": alive,
            "source": self._source,
            "prober": {"alive": alive, "pid": child.pid, "restarts": max(0, child.restarts), "dropped": keeper.dropped},
            "schedule": {
                "digest": given.digest,
                "probes": len(given.texts),
                "rejected": dict(given.rejected),
                "error": keeper.source.error,
            },
            "last_flush": keeper.store.flushed_at,
            "identity_not_after": keeper.leaf.not_after if keeper.leaf else None,
            "peers_not_seen": keeper.unseen,
            "failures": {name: chore.failure for name, chore in keeper.chores.items() if chore.failure},
        }
        return page(value, HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE)

    def families(self) -> list[Family]:
        """All metrics."""
        shown = self._keeper.metrics.shown()
        own = self._view()
        judgements, unwell = self._keeper.views.judge(own, shown)
        return [*self._keeper.metrics.families(), *views.families(self._source, judgements, unwell), *self._own()]

    @property
    def _source(self) -> str:
        return self._keeper.config.source

    def _view(self) -> list[Summary]:
        """Without what is to be refused: that nothing passes there is no sign of a target or path that is down."""
        closed = self._keeper.schedule.closed
        with self._keeper.metrics.lock:
            return [summary for summary in self._keeper.windows.view() if summary.series not in closed]

    def _sick(self, own: list[Summary]) -> str:
        return peers.sick(own).get(self._source, "")

    def _results(self, since: float) -> Iterator[bytes]:
        head = {"source": self._source, "now": time(), "sick": self._sick(self._view())}
        yield json.dumps(head).encode()[:-1] + b', "windows": ['
        separator = b""
        for wire in self._windows(since):
            yield separator + json.dumps(wire).encode()
            separator = b",\n"
        yield b"]}\n"

    def _windows(self, since: float) -> Iterator[dict[str, Any]]:
        with self._keeper.metrics.lock:
            now_open = [summary.as_wire() for summary in self._keeper.windows.now_open()]
        yield from self._keeper.store.since(since)
        yield from now_open

    def _own(self) -> Iterator[Family]:
        """How the agent itself does."""
        keeper = self._keeper
        labels = (("src_cluster", self._source),)
        build = (*labels, ("version", getattr(meshkit, "__version__", "")), ("python", platform.python_version()))
        yield Family("meshkit_build_info", "gauge", "What runs here, as labels of a 1.", [(build, 1)])
        values: tuple[tuple[str, Kind, str, float], ...] = (
            ("meshkit_schedule_probes", "gauge", "Probes on the schedule.", len(keeper.schedule.texts)),
            (
                "meshkit_schedule_rejected_probes",
                "gauge",
                "Probes on the schedule that are none; /health names them.",
                len(keeper.schedule.rejected),
            ),
            ("meshkit_prober_up", "gauge", "Whether the probing process runs.", int(keeper.child.alive)),
            (
                "meshkit_prober_restarts_total",
                "counter",
                "Times that the probing process was started again.",
                max(0, keeper.child.restarts),
            ),
            (
                "meshkit_samples_dropped_total",
                "counter",
                "Samples that the keeper was too slow to take.",
                keeper.dropped,
            ),
            (
                "meshkit_results_flushed_timestamp_seconds",
                "gauge",
                "When results were last stored in the cluster.",
                keeper.store.flushed_at,
            ),
            (
                "meshkit_results_left_out_total",
                "counter",
                "Results that could not be kept.",
                keeper.store.left_out,
            ),
        )
        for name, kind, text, value in values:
            yield Family(name, kind, text, [(labels, value)])
        failures = [((*labels, ("chore", name)), chore.failures) for name, chore in keeper.chores.items()]
        yield Family("meshkit_agent_failures_total", "counter", "Failures of what is done beside probing.", failures)
