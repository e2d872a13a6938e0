"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.config import duration
from meshkit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("10s", 10), ("5m", 300), ("1h", 3600), ("24h", 86400), ("7d", 604800), ("1h30m", 5400),
     ("1.5s", 1.5), ("250us", 0.00025), ("1s500ms", 1.5)],
)  # fmt: skip
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    """In any unit, also several."""
    assert duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 s", "-1s", "+1s", "1e3s", "inf", "nan", "1.s", ".5s", "1S", "\u0661s", "1s\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number without a unit above all: nobody could tell which."""
    with pytest.raises(ValueError, match="is not a time such as 200ms"):
        duration.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "200ms"), (0.1, "100ms"), (1, "1s"), (90, "90s"), (300, "5m"), (3600, "1h"), (86400, "24h"), (604800, "7d"),
     (1.5, "1500ms")],
)  # fmt: skip
def test_seconds_are_shown_as_people_write_them(seconds: float, text: str) -> None:
    """In one unit, without a fraction."""
    assert duration.shown(seconds) == text


@given(microseconds=st.integers(1, 10**9))
def test_what_is_shown_can_be_read_again(microseconds: int) -> None:
    """Nothing is lost on the way."""
    seconds = microseconds / 1e6
    assert duration.parse(duration.shown(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "words"), [("5", "--every: '5' is not a time"), ("2h", "--every: 2h is out of bounds")]
)
def test_an_option_is_refused_by_name(text: str, words: str) -> None:
    """With what would be right as the hint."""
    with pytest.raises(UsageError, match=words) as caught:
        duration.option("--every", text, 1.0, 3600.0)
    assert caught.value.hint
    assert duration.option("--every", "1h", 1.0, 3600.0) == 3600
