"""Looks at the same time: one that fails or hangs costs only itself, and a bug is not hidden."""

from __future__ import annotations

import threading

import pytest

from meshkit.backends.clock import SystemClock
from meshkit.errors import MeshkitError
from meshkit.federation.together import together


def _fail() -> None:
    raise MeshkitError("the door is closed", hint="open it")


def test_answers_and_reasons() -> None:
    """What one returned, and why the other returned nothing."""
    assert together(SystemClock(), {"a": lambda: 1, "b": _fail}, 5.0) == ({"a": 1}, {"b": "the door is closed"})


def test_one_that_hangs_is_not_waited_for() -> None:
    """The others' answers come at the deadline."""
    released = threading.Event()
    try:
        answers, unseen = together(SystemClock(), {"a": lambda: 1, "b": released.wait}, 0.20004)
    finally:
        released.set()

    assert (answers, unseen) == ({"a": 1}, {"b": "no answer within 0.2 s"})


def test_a_bug_is_raised() -> None:
    """In the thread that asked."""
    with pytest.raises(ZeroDivisionError):
        together(SystemClock(), {"a": lambda: 1 // 0}, 5.0)


def test_nothing_to_look_at() -> None:
    """Is over at once."""
    assert together(SystemClock(), {}, 5.0) == ({}, {})
