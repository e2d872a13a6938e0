"""How far a run is, in words."""

from __future__ import annotations

from meshkit.cli.probe.work import Telling
from meshkit.events import Event
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

WANTED, OTHER = Series("aks", "eks", "shop", "intention"), Series("aks", "eks", "shop", "mesh")


def _window(series: Series, *reasons: str) -> Summary:
    window = Summary(series, 0.0, 1.0)
    for number, reason in enumerate(reasons):
        window.add(Sample("p", float(number), reason, phases={"connect": 0.01}))
    return window


def test_a_refusal_that_is_wanted_is_told_apart_from_failures() -> None:
    said: list[Event] = []
    telling = Telling(said.append, 6, {WANTED})
    telling([_window(WANTED, "denied", "denied", "timeout_connect"), _window(OTHER, "denied", "ok")])
    assert telling.text == "5 of 6 answered or given up, 2 failed, 2 refused as expected"
    assert len(said) == 1


def test_without_refusals_nothing_is_said_of_them() -> None:
    telling = Telling(lambda _: None, 2)
    telling([_window(OTHER, "ok", "ok")])
    assert telling.text == "2 of 2 answered or given up, 0 failed"
