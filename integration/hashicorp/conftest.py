"""Two clusters for the official chart: the lab's, or given ones. Without chart or images everything is skipped.

The tests are the life of one federation, in the order in which they stand: by hand first, to be measured, then by
meshkit, looked at from all sides, upgraded, destroyed and made again. Each can be run singly too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest
from clusters import WAN
from hashicorp import apps, byhand, images
from hashicorp.given import WITHOUT_CHART, Given, WrongError, given
from hashicorp.pair import Official, open_lab, users_kubeconfig

WRONG = 2
"""Exit code when a variable or a cluster is not what it has to be."""

FIGURES = pytest.StashKey[dict[str, float]]()


@pytest.fixture(scope="session")
def has() -> Given:
    """What is at hand."""
    try:
        found = given()
    except WrongError as error:
        pytest.exit(str(error), returncode=WRONG)
    if found is None:
        pytest.skip(WITHOUT_CHART)
    return found


@pytest.fixture(scope="session", autouse=True)
def stopped_cleanly() -> Iterator[None]:
    """SIGTERM and SIGHUP end the tests as Ctrl-C does: what was started is removed."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def official(has: Given, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """Two clusters that hold no Consul, in which the images of the chart can run."""
    folder = tmp_path_factory.mktemp("official")
    if has.contexts:
        yield from _given_clusters(Official(has.contexts, users_kubeconfig(), folder / "state", has))
        return
    made = open_lab(has, folder, has.clusters)
    made.meshkit("lab", "down", *made.names, check=False)  # of a run that was killed
    try:
        made.meshkit("lab", "up", *made.names, *WAN)
        if has.images:
            made.meshkit("lab", "load", *map(str, has.images), *_only(made.names))
        images.ensure(made)
        yield made
    finally:
        made.meshkit("lab", "down", *made.names)


@pytest.fixture(scope="session")
def by_hand(official: Official, request: pytest.FixtureRequest) -> float:
    """How long federating by hand takes, in seconds; nothing is left of it."""
    try:
        took = byhand.federate(official, byhand.authority())
    finally:
        byhand.remove(official)
    _figures(request)["by hand"] = took
    return took


@pytest.fixture(scope="session")
def federated(official: Official, request: pytest.FixtureRequest) -> Iterator[dict[str, float]]:
    """A federation with the official chart, made by ``meshkit federate``: how long that took, by step."""
    begin = time.monotonic()
    result = official.federate()
    _figures(request)["meshkit federate"] = time.monotonic() - begin
    yield {step["name"]: step["seconds"] for step in result["steps"]}
    official.meshkit("destroy", "--yes", check=False)


@pytest.fixture(scope="session")
def shop(official: Official, federated: dict[str, float]) -> Iterator[None]:
    """A client in the primary and a web server in the secondary, with injected sidecars."""
    del federated
    try:
        apps.start(official)
        yield
    finally:
        apps.stop(official)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Why all was skipped, once; or the figure: both times and their ratio."""
    for reason in {str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")}:
        terminalreporter.write_line(reason)
    figures = config.stash.get(FIGURES, {})
    for name, seconds in figures.items():
        terminalreporter.write_line(f"{name}: {seconds:.1f} s")
    if len(figures) == 2:
        by_hand, federate = figures["by hand"], figures["meshkit federate"]
        terminalreporter.write_line(f"ratio: {federate / by_hand:.2f} (at most {byhand.MOST_RATIO})")


def _figures(request: pytest.FixtureRequest) -> dict[str, float]:
    return request.config.stash.setdefault(FIGURES, {})


def _given_clusters(official: Official) -> Iterator[Official]:
    """Somebody's clusters: whatever Consul they have is not touched."""
    for context in official.names:
        there = list(official.leftovers(context))
        if there:
            text = f"{context} holds a Consul, or what is left of one: {', '.join(there[:5])}"
            pytest.exit(text, returncode=WRONG)
    images.ensure(official)
    yield official


def _only(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from ("--cluster", name)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
