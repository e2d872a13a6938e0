"""Real sleeps end when the run is cancelled."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest

from meshkit.backends.clock import CancelledRunError, SystemClock


def test_cancel_wakes_a_sleeper() -> None:
    """A sleeper in another thread wakes at once, with an error."""
    clock = SystemClock()
    raised: list[Exception] = []

    def sleep() -> None:
        try:
            clock.sleep(600)
        except CancelledRunError as error:
            raised.append(error)

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    clock.cancel()
    sleeper.join()
    assert [str(error) for error in raised] == ["interrupted"]


def test_no_sleep_after_cancel() -> None:
    """A sleep that begins later does not begin at all."""
    clock = SystemClock()
    clock.cancel()
    with pytest.raises(CancelledRunError):
        clock.sleep(600)


def test_now() -> None:
    """Time is in UTC and only grows."""
    clock = SystemClock()
    before = clock.monotonic()
    assert clock.now().tzinfo == UTC
    assert clock.monotonic() >= before
