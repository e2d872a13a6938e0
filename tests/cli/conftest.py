"""The command line as it is typed, in this process, over clusters in memory."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Kube
from meshkit.cli import app, console, wiring
from meshkit.errors import UsageError
from meshkit.events import Event, Observer
from meshkit.federation.context import Context
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """How a call ended, and what it printed."""

    code: int
    out: str
    err: str


Meshkit = Callable[..., Result]


@pytest.fixture
def meshkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Meshkit]:
    """Call ``main`` with arguments; the exit code and both streams. The kubeconfig is one that is not there."""
    handler = signal.getsignal(signal.SIGTERM)
    for name in ("NO_COLOR", "MESHKIT_CA_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["meshkit", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        printed = capsys.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    yield call
    signal.signal(signal.SIGTERM, handler)
    console.configure(color=True, quiet=False, verbose=False)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakeFederation:
    """The clusters aks and eks, in the place where the real backends are made."""
    made = FakeFederation()

    @contextmanager
    def connect(
        federation: Federation, state: State, observe: Observer, timeout_s: float, *, all_of_them: bool = True
    ) -> Iterator[Context]:
        made.federation = federation

        def both(event: Event) -> None:
            made.events.append(event)
            observe(event)

        del all_of_them
        yield replace(made.context(timeout_s=timeout_s), state=state, observe=both)

    def open_clusters(datacenters: tuple[Datacenter, ...]) -> Mapping[str, Kube]:
        unknown = [dc.context for dc in datacenters if dc.context not in made.clusters]
        if unknown:
            raise UsageError(f"there is no context {unknown[0]}", hint="kubectl config get-contexts")
        return {dc.name: made.clusters[dc.context] for dc in datacenters}

    monkeypatch.setattr(wiring, "connect", connect)
    monkeypatch.setattr(wiring, "open_clusters", open_clusters)
    monkeypatch.setattr(wiring, "open_unasked", lambda name: open_clusters((Datacenter(name, name),))[name])
    return made
