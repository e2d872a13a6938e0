"""Objects and events as a bundle shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from meshkit.federation.support import manifests

SINCE = datetime(2026, 11, 25, 8, tzinfo=UTC)


def test_values_of_environment_variables_that_sound_like_secrets_go() -> None:
    container = {
        "env": [
            {"name": "DB_PASSWORD", "value": "hunter2"},
            {"name": "CONSUL_HTTP_TOKEN_FILE", "value": "/consul/token"},
            {"name": "LEVEL", "value": "debug"},
            {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "x"}}},
        ]
    }
    seen = [entry.get("value", "from a Secret") for entry in manifests.shown(container)["env"]]
    assert seen == ["<redacted: by its name>", "/consul/token", "debug", "from a Secret"]


def test_bulk_goes_and_what_helps_stays() -> None:
    seen = manifests.shown(
        {
            "metadata": {"name": "x", "managedFields": [{}], "annotations": {manifests.LAST_APPLIED: "{}", "a": "b"}},
            "binaryData": {"agent.zip": "QUJD"},
        }
    )
    assert seen == {
        "metadata": {"name": "x", "annotations": {"a": "b"}},
        "binaryData": {"agent.zip": "4 characters of base64"},
    }


def _event(at: str, said: str, **more: Any) -> dict[str, Any]:
    about = {"involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning", "reason": "BackOff"}
    return {"metadata": {"creationTimestamp": at}, "message": said, **about, **more}


def test_events_are_those_of_the_time_in_their_order() -> None:
    found = [
        _event("2026-11-25T09:00:00Z", "later"),
        _event("2026-11-25T07:00:00Z", "too early"),
        _event("2026-11-25T07:00:00Z", "seen again", lastTimestamp="2026-11-25T08:30:00Z", count=7),
        _event("2026-11-25T08:10:00Z", "two\nlines", lastTimestamp=None, eventTime="2026-11-25T08:15:00.000001Z"),
    ]
    assert list(manifests.events(found, SINCE)) == [
        "2026-11-25T08:15:00.000001Z  Warning  Pod/p  BackOff: two lines",
        "2026-11-25T08:30:00Z  Warning  Pod/p  BackOff (7 times): seen again",
        "2026-11-25T09:00:00Z  Warning  Pod/p  BackOff: later",
    ]


@pytest.mark.parametrize("event", [{"metadata": {}}, {"metadata": {}, "involvedObject": None, "series": None}])
def test_an_event_without_anything_is_left_out(event: dict[str, Any]) -> None:
    assert list(manifests.events([event], SINCE)) == []


def test_secrets_are_named_and_not_shown() -> None:
    secret = {"metadata": {"name": "shop"}, "type": "Opaque", "data": {"b": "x", "a": "y"}}
    assert list(manifests.secrets([secret, {"metadata": {"name": "none"}}])) == [
        "shop  Opaque  a, b  ",
        "none    empty  ",
    ]
