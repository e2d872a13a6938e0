"""A way to break a path: what is done and mended, what a trace must call it, and at which hop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tracing.world import World

Break = Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True)
class Breakage:
    """``verdict`` is broken, degraded where the request still passes, or any where that is chance.

    ``by_name`` says that the source asks DNS for the destination.
    """

    name: str
    code: str
    hop: str
    break_it: Break
    verdict: str = "broken"
    by_name: bool = False


BREAKAGES: list[Breakage] = []


def breakage(
    code: str, hop: str, verdict: str = "broken", *, by_name: bool = False
) -> Callable[[Callable[[World], Iterator[None]]], Break]:
    """Enter a generator that breaks, yields and mends into the table, under its own name."""

    def enter(work: Callable[[World], Iterator[None]]) -> Break:
        @contextmanager
        def broken(world: World) -> Iterator[None]:
            steps = work(world)
            try:
                next(steps)
                yield
            finally:
                next(steps, None)

        BREAKAGES.append(Breakage(work.__name__, code, hop, broken, verdict, by_name))
        return broken

    return enter
