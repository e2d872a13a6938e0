"""Questions to several clusters at the same time, so that those which are away cost one wait together.

A call to a cluster that is cut off ends by its own deadlines, which are for that one call: 5 s for a connection, 7 s
until Consul gives up another datacenter. One after the other they add up to longer than a probe run takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from meshkit.errors import MeshkitError, UnreachableError

WITHIN_S = 8.0
"""A connection's own deadline, and what a healthy cluster far away needs after it."""

LOOK_S = 0.25
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def ask(questions: Mapping[K, Sequence[Callable[[], T]]]) -> dict[K, T | MeshkitError]:
    """An answer to each question, asked in all of its ways at once; or why there is none.

    An earlier way is preferred to a later one that has answered, until it fails or time is up. Then calls that are
    still under way are left alone: they end by their own deadlines, and nobody waits for it.
    """
    asked = {key: _Question(ways) for key, ways in questions.items()}
    changed = threading.Condition()
    for question in asked.values():
        for place in range(len(question.ways)):
            threading.Thread(target=question.answer, args=(place, changed), daemon=True).start()
    end = time.monotonic() + WITHIN_S
    with changed:
        while not all(question.is_settled for question in asked.values()) and time.monotonic() < end:
            changed.wait(min(LOOK_S, max(0.0, end - time.monotonic())))
        return {key: question.best() for key, question in asked.items()}


class _Question(Generic[T]):
    """One question and what its ways have brought so far."""

    def __init__(self, ways: Sequence[Callable[[], T]]) -> None:
        self.ways = ways
        self._answers: dict[int, T] = {}
        self._failures: dict[int, MeshkitError] = {}
        self._bug: BaseException | None = None

    def answer(self, place: int, changed: threading.Condition) -> None:
        """Try one way."""
        answers, failures, bug = dict[int, T](), dict[int, MeshkitError](), None
        try:
            answers[place] = self.ways[place]()
        except MeshkitError as error:
            failures[place] = error
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            bug = error
        with changed:
            self._answers |= answers
            self._failures |= failures
            self._bug = self._bug or bug
            changed.notify()

    @property
    def is_settled(self) -> bool:
        """Whether waiting can't bring a better answer."""
        open_ways = (place for place in range(len(self.ways)) if place not in self._failures)
        return self._bug is not None or next((place in self._answers for place in open_ways), True)

    def best(self) -> T | MeshkitError:
        """What the earliest way says that has answered, else why the earliest has not; a bug in any is raised."""
        if self._bug:
            raise self._bug
        if self._answers:
            return self._answers[min(self._answers)]
        if self._failures:
            return self._failures[min(self._failures)]
        return UnreachableError(f"no answer within {WITHIN_S:g} s")
