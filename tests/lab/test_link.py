"""What a user may write for delay, loss and MTU, and what a change leaves alone."""

from __future__ import annotations

import pytest

from meshkit.errors import UsageError
from meshkit.lab.wan import Link, LinkChange, parse_delay, parse_loss, parse_mtu


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("35ms", 0.035), ("0.2s", 0.2), ("500us", 0.0005), ("0ms", 0.0), (" 1.5ms ", 0.0015), ("10s", 10.0)],
)
def test_delays_are_read_as_seconds(text: str, seconds: float) -> None:
    """Number and unit."""
    assert parse_delay(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("35", id="no unit"),
        pytest.param("-5ms", id="negative"),
        pytest.param("11s", id="over ten seconds"),
        pytest.param("ms", id="no number"),
        pytest.param("1e3ms", id="exponent"),
        pytest.param("35 ms", id="blank inside"),
        pytest.param("", id="empty"),
    ],
)
def test_other_delays_are_refused(text: str) -> None:
    """By name, with an example."""
    with pytest.raises(UsageError, match="is not a delay") as raised:
        parse_delay(text)
    assert "35ms" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "share"), [("0.1%", 0.001), ("0.001", 0.001), ("100%", 1.0), ("0", 0.0), ("2%", 0.02)]
)
def test_losses_are_read_as_fractions(text: str, share: float) -> None:
    """With or without the sign."""
    assert parse_loss(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["101%", "2", "-1%", "x", "%", ""])
def test_other_losses_are_refused(text: str) -> None:
    """More than everything can't be lost."""
    with pytest.raises(UsageError, match="is not a loss"):
        parse_loss(text)


@pytest.mark.parametrize(("text", "mtu"), [("576", 576), ("1400", 1400), ("1500", 1500)])
def test_mtus_are_read_as_bytes(text: str, mtu: int) -> None:
    """Within what hosts must take and devices carry."""
    assert parse_mtu(text) == mtu


@pytest.mark.parametrize("text", ["575", "1501", "0", "-1", "1400b", ""])
def test_other_mtus_are_refused(text: str) -> None:
    """Out of range or not a number."""
    with pytest.raises(UsageError, match="is not an MTU"):
        parse_mtu(text)


def test_a_change_leaves_what_it_does_not_name() -> None:
    """Loss alone changes; zero and False are values, not "leave it"."""
    link = Link(delay_s=0.035, jitter_s=0.002, loss=0.1, mtu=1400, cut=True)
    assert LinkChange(loss=0.0).applied(link) == Link(delay_s=0.035, jitter_s=0.002, loss=0.0, mtu=1400, cut=True)
    assert LinkChange(cut=False).applied(link).cut is False
    assert LinkChange().applied(link) == link
