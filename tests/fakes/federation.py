"""Whole federations over fakes: a ``Context`` as ``cli.wiring`` would make it, for as many runs as a test wants.

Each ``context`` stands for a new process: what one run knows, the next finds in the clusters and the state directory
or not at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from fakes import controller
from fakes.clock import FakeClock
from fakes.consul import FakeConsul
from fakes.controller import FakeController
from fakes.faults import Killer
from fakes.kube import FakeCluster, LoadBalancers
from fakes.wan import FakeWan
from meshkit.events import Event
from meshkit.federation.context import Context
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation

NAMES = ("aks", "eks")
TIMEOUT_S = 60.0


def described(names: Sequence[str] = NAMES, name: str = "mesh", **options: Any) -> Federation:
    """A federation of datacenters named as their contexts; the first is primary."""
    datacenters = (Datacenter(dc, dc, primary=place == 0, **options) for place, dc in enumerate(names))
    return Federation(name, tuple(datacenters))


OFFICIAL = Path(__file__).parents[1] / "standin" / "consul"
"""The stand-in for the official chart."""


def official_chart(folder: Path, version: str, consul: str) -> Path:
    """The stand-in in another version, with the Consul that it says it installs."""
    made = shutil.copytree(OFFICIAL, folder / f"consul {version}")
    described = yaml.safe_load((made / "Chart.yaml").read_text())
    (made / "Chart.yaml").write_text(yaml.safe_dump(described | {"version": version, "appVersion": consul}))
    return made


def officially(federation: Federation) -> Federation:
    """The same federation with the official chart, as it is once settled."""
    datacenters = tuple(replace(dc, api_server=f"https://{dc.name}.example:6443") for dc in federation.datacenters)
    chart: dict[str, str] = {"chart": "hashicorp", "chart_path": str(OFFICIAL), "chart_version": "1.9.11"}
    return replace(federation, datacenters=datacenters, **chart)  # type: ignore[arg-type]


class FakeFederation:
    """The world of one test: clusters, the network between them, a clock, and all events so far.

    The state directory is where ``MESHKIT_STATE_DIR`` points, which the test sets.
    """

    def __init__(self, names: Sequence[str] = NAMES, *, polls: int = 1, **options: Any) -> None:
        self.federation = described(names, **options)
        self.clock = FakeClock()
        self.wan = FakeWan()
        self.events: list[Event] = []
        self.names: dict[str, Sequence[str]] = {}
        self.polls = polls
        for name in names:
            self.add_cluster(name)

    @property
    def clusters(self) -> dict[str, FakeCluster]:
        return self.wan.clusters

    @property
    def state(self) -> State:
        """The state directory, read anew."""
        return State(self.federation.name)

    def add_cluster(self, name: str) -> FakeCluster:
        """One more cluster; it takes part once ``federation`` names it."""
        cluster = FakeCluster(name, self.clock)
        cluster.load_balancers = LoadBalancers(f"203.0.113.{len(self.clusters) + 1}", polls=self.polls)
        helm = self.wan.add(name, cluster, polls=self.polls)
        helm.brings = lambda: controller.install(self.wan, name)
        return cluster

    def control(self, *, lag: int = 1) -> FakeController:
        """Let the official chart's controller keep the primary's config entries, none of which is there yet."""
        primary = self.federation.primary.name
        self.wan.store(primary).entries.clear()
        self.federation = officially(self.federation)
        return controller.install(self.wan, primary, lag=lag)

    def grow(self, names: Sequence[str]) -> None:
        """Describe the federation anew, with more or fewer of the clusters."""
        self.federation = described(names)

    def context(self, *, killer: Killer | None = None, timeout_s: float = TIMEOUT_S) -> Context:
        """One run's context; with a ``killer`` every write of every backend and of the state is under its eye."""
        watch = killer.wrap if killer else _untouched
        state = self.state if killer is None else _mortal(self.state, killer)
        return Context(
            federation=self.federation,
            state=state,
            kube={dc.name: watch(self.clusters[dc.name]) for dc in self.federation.datacenters},
            helm=lambda name: watch(self.wan.helms[name]),
            consul=lambda name: watch(FakeConsul(self.wan, name, self._bootstrap_token())),
            clock=self.clock,
            observe=self.events.append,
            timeout_s=timeout_s,
            resolve=lambda name: tuple(self.names.get(name, (name,) if name[0].isdigit() else ())),
        )

    def _bootstrap_token(self) -> str:
        held = self.state.secrets()
        return held.tokens["bootstrap"].reveal() if held else ""


def _untouched(backend: Any) -> Any:
    return backend


def _mortal(state: State, killer: Killer) -> State:
    """A state directory whose writes can be the last thing the process does."""
    state._folder = killer.wrap(state._folder)
    return state
