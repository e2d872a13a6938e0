"""Holds: who needs an intention stands in its description, and what says anything else is never touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.consul import config_entries, holds
from meshkit.consul.config_entries import Intention
from meshkit.consul.holds import SCHEDULE, Hold
from meshkit.errors import MeshkitError

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(seconds=1)
INTENTION = Intention("web", "api", "allow")
RUN, OTHER = Hold("run 3f9a21", LATER), Hold("run 0b77c4", LATER)


def entry(*sources: dict[str, Any]) -> dict[str, Any]:
    return {"Kind": config_entries.INTENTIONS, "Name": "api", "Sources": list(sources), "ModifyIndex": 7}


def source(*held: Hold, **more: Any) -> dict[str, Any]:
    return {"Name": "web", "Action": "allow", "Description": ", ".join(map(str, held))} | more


def released(before: dict[str, Any], holder: str, now: datetime = NOW) -> dict[str, Any] | None:
    return holds.released(before, lambda _: True, holder, now)


@pytest.mark.parametrize(
    "held",
    [(Hold(SCHEDULE),), (Hold("verification", LATER),), (RUN, OTHER, Hold(SCHEDULE))],
    ids=["a schedule", "federate", "two runs and a schedule"],
)
def test_what_is_written_is_read(held: tuple[Hold, ...]) -> None:
    before = None
    for hold in held:
        before = holds.added(before, INTENTION, hold, NOW)
    assert holds.on(before, "web") == held
    assert holds.lasts(held) is (Hold(SCHEDULE) in held)


@pytest.mark.parametrize(
    "theirs",
    [
        {"Name": "web", "Action": "allow"},
        {"Name": "web", "Action": "allow", "Description": "ours"},
        {"Name": "web", "Action": "allow", "Description": "meshkit probe schedule, and the shop"},
        {"Name": "web", "Action": "allow", "Description": "meshkit run 3f9a21 until 2026-99-99T12:00:00Z"},
        {"Name": "web", "Action": "deny", "Description": "meshkit probe schedule"},
        {"Name": "web", "Permissions": [{"Action": "allow"}], "Description": "meshkit probe schedule"},
    ],
    ids=["no description", "their own", "more than ours", "a time that is none", "turned into a deny", "permissions"],
)
def test_somebodys_own_is_left_as_it_is(theirs: dict[str, Any]) -> None:
    before = entry(theirs)
    assert holds.of(theirs) == ()
    assert holds.added(before, INTENTION, RUN, NOW) is before
    assert released(before, SCHEDULE, LATER) is before


def test_a_peers_service_of_the_same_name_is_another_source() -> None:
    peer = {"Name": "web", "Peer": "other-cloud", "Action": "allow", "Description": "meshkit probe schedule"}
    before = entry(peer)
    assert released(before, SCHEDULE) is before
    after = holds.added(before, INTENTION, RUN, NOW)
    assert after is not None
    assert peer in after["Sources"]
    assert holds.on(after, "web") == (RUN,)


def test_holding_twice_changes_nothing() -> None:
    before = entry(source(RUN))
    assert holds.added(before, INTENTION, RUN, NOW) is before


def test_a_holder_prolongs_its_own() -> None:
    longer = Hold(RUN.holder, LATER + timedelta(hours=1))
    assert holds.on(holds.added(entry(source(RUN, OTHER)), INTENTION, longer, NOW), "web") == (OTHER, longer)


def test_it_goes_with_the_last_who_needs_it() -> None:
    after = released(entry(source(RUN, OTHER)), RUN.holder)
    assert after is not None
    assert holds.on(after, "web") == (OTHER,)
    assert released(after, OTHER.holder) is None


def test_what_a_killed_run_held_is_taken_away_by_any_other_once_it_is_over() -> None:
    killed = Hold("run aaaaaa", LATER)
    before = entry(source(killed))
    assert released(before, RUN.holder, EARLIER) is before
    assert released(before, RUN.holder, LATER) is None


def test_other_sources_stay() -> None:
    theirs = {"Name": "batch", "Action": "allow"}
    after = released(entry(theirs, source(RUN)), RUN.holder)
    assert after is not None
    assert after["Sources"] == [theirs]


def test_only_from_the_sources_in_question() -> None:
    before = entry(source(Hold(SCHEDULE)), source(Hold(SCHEDULE), Name="batch"))
    after = holds.released(before, lambda name: name == "batch", SCHEDULE, NOW)
    assert after is not None
    assert [s["Name"] for s in after["Sources"]] == ["web"]


def test_more_than_consul_takes_is_an_error() -> None:
    """Runs that are over make room."""
    many = [Hold(f"run {number:06x}", LATER) for number in range(10)]
    before = entry(source(*many))
    assert len(before["Sources"][0]["Description"]) <= holds.LONGEST
    with pytest.raises(MeshkitError, match="11 runs at once need the intention from web to api"):
        holds.added(before, INTENTION, RUN, NOW)
    assert holds.on(holds.added(before, INTENTION, Hold(RUN.holder), LATER), "web") == (Hold(RUN.holder),)
