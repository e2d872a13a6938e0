"""Questions to several at once: the preferred answer that comes in time, whoever is silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation import asking

END_S = 10.0
"""Nothing here takes so long, unless something is wrong."""


def away() -> str:
    raise UnreachableError("aks: away")


def forbidden() -> str:
    raise MeshkitError("eks: forbidden")


@pytest.fixture
def silent() -> Iterator[Callable[[], str]]:
    """Answers only once the test is over."""
    over = threading.Event()

    def wait() -> str:
        over.wait(END_S)
        return "too late"

    yield wait
    over.set()


def answered(*ways: Callable[[], str]) -> str:
    answer = asking.ask({"question": ways})["question"]
    return answer.message if isinstance(answer, MeshkitError) else answer


def test_the_first_way_is_preferred() -> None:
    second = threading.Event()

    def first() -> str:
        assert second.wait(END_S)
        return "first"

    assert answered(first, lambda: second.set() or "second") == "first"


def test_another_way_answers_for_one_that_fails() -> None:
    assert answered(away, lambda: "second") == "second"


def test_when_none_answers_the_first_says_why() -> None:
    assert answered(away, forbidden) == "aks: away"


def test_who_is_silent_is_not_waited_for(silent: Callable[[], str]) -> None:
    """Neither when a better answer is there, nor, after a time, when none is."""
    began = time.monotonic()
    assert answered(lambda: "first", silent) == "first"
    assert answered(away, lambda: "second", silent) == "second"
    assert time.monotonic() - began < asking.WITHIN_S


def test_after_its_time_the_next_best_is_taken(silent: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WITHIN_S", 0.2)
    began = time.monotonic()
    answers = asking.ask({place: [silent, *more] for place, more in enumerate(((), (lambda: "b",), (away,)))})
    assert time.monotonic() - began < END_S / 2
    assert [str(answer) for answer in answers.values()] == ["no answer within 0.2 s", "b", "aks: away"]


def test_all_are_asked_at_the_same_time() -> None:
    """Each waits for all the others."""
    barrier = threading.Barrier(6)
    answers = asking.ask({place: [lambda: barrier.wait(END_S)] * 2 for place in range(3)})
    assert all(isinstance(answer, int) for answer in answers.values())


def test_nothing_to_ask() -> None:
    assert asking.ask({}) == {}


def test_a_bug_does_not_vanish() -> None:
    def broken() -> str:
        raise KeyError("RootCert")

    with pytest.raises(KeyError):
        asking.ask({"one": [lambda: "fine"], "other": [broken]})
