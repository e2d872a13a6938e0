"""The loop that probes run on: generators over one epoll.

asyncio was measured at 2,800 connects a second on the machine where this makes over 14,000, and under load its
callbacks time what the event loop did, not the network. So a mechanism is a generator that yields what it waits for,
and is resumed with what came; nothing is between it and epoll. Ready descriptors are served before deadlines are looked
at: a loop that is late never turns an answer that is already here into a timeout.

What a probe costs beside its system calls is a generator's resumption. One that ends in its first step (a neighbour
whose handshake is over when connect() returns) is never parked: no epoll registration, no deadline to remember.
"""

from __future__ import annotations

import contextlib
import heapq
import select
from collections.abc import Callable, Generator
from time import monotonic
from typing import Any

from meshkit.probes.reasons import Failed, of_errno, one_line
from meshkit.probes.sample import Record

READ = select.EPOLLIN | select.EPOLLONESHOT
WRITE = select.EPOLLOUT | select.EPOLLONESHOT
BATCH = 256
"""Descriptors served per turn: few enough that deadlines and starts are not kept waiting."""

SLEPT_S = 20e-6
"""A poll that took longer than this has slept."""

MAIL = -2
"""In place of a descriptor: wait for ``Loop.deliver`` of a key. Not -1, which is what a closed socket's fileno() is."""

SPENT_LIMIT = 1024
"""Deadlines of probes that have ended: kept at most as many as are under way, and this many."""

Wait = tuple[int, Any, float]
"""(descriptor, READ or WRITE, until) or (MAIL, key, until); ``until`` is monotonic time, 0.0 for the probe's deadline.

The yield returns epoll's events or the letter, and None when ``until`` came first.
"""
Steps = Generator[Wait, Any, None]

AT_ONCE = 32
"""Frames, chunks and the like that a mechanism takes before others have their turn: about a millisecond's worth."""


def others_first() -> Wait:
    """What a mechanism yields to go on in the loop's next turn: what a target sends must not keep the loop."""
    return MAIL, object(), monotonic()


class Expired(Exception):  # noqa: N818, an observation
    """Thrown into a mechanism at the probe's deadline, so that it closes what it holds."""


class Task:
    """A probe under way. ``record`` is what it has seen so far."""

    __slots__ = ("deadline", "descriptor", "done", "key", "record", "steps", "turn")

    def __init__(self, steps: Steps, record: Record, deadline: float, done: Callable[[Record], None]) -> None:
        self.steps: Steps | None = steps
        self.record = record
        self.deadline = deadline
        self.done = done
        self.descriptor = -1
        self.key: Any = None
        self.turn = 0


class Loop:
    """One epoll, its tasks and their deadlines. Not for use from several threads."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, Task] = {}
        self._mail: dict[Any, Task] = {}
        self._handlers: dict[int, Callable[[], None]] = {}
        self._times: list[tuple[float, int, int, Task]] = []
        self._count = 0
        self._looked = self._woke = self._asked = monotonic()
        self._full_turns = 0
        self.under_way = 0

    def close(self) -> None:
        """End what is under way, so that it closes what it holds, and release the epoll descriptor."""
        for _, _, _, task in self._times:
            if task.steps is not None:
                _stop(task.steps)
                task.steps = None
        self._epoll.close()

    def blur(self) -> float:
        """How late we may be looking at the event being served, in seconds: it came after the previous look."""
        return monotonic() - self._looked

    def spawn(self, steps: Steps, record: Record, deadline: float, done: Callable[[Record], None]) -> None:
        """Run a mechanism's steps; ``done`` gets the record, whatever ends them. ``deadline`` is monotonic time."""
        self.under_way += 1
        self._resume(Task(steps, record, deadline, done), None)

    def listen(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call ``handler`` whenever a shared descriptor has something; it reads until there is nothing."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLERR)

    def unlisten(self, descriptor: int) -> None:
        """No longer; call it before the descriptor is closed."""
        del self._handlers[descriptor]
        self._epoll.unregister(descriptor)

    def deliver(self, key: Any, letter: Any) -> bool:
        """Resume the task that waits for ``key``; False when none does (any more)."""
        task = self._mail.pop(key, None)
        if task is None:
            return False
        task.key = None
        self._resume(task, letter)
        return True

    def turn(self, until: float) -> None:
        """Wait until something is ready or ``until`` (monotonic), and serve it."""
        times = self._times
        if times and times[0][0] < until:
            until = times[0][0]
        before = monotonic()
        ready = self._epoll.poll(max(0.0, until - before), BATCH)
        now = monotonic()
        # Without sleep, what is ready came since the previous look; after a sleep it is what woke us.
        self._looked, self._woke = (now if now - before > SLEPT_S else self._woke), now
        for descriptor, events in ready:
            task = self._waiting.get(descriptor)
            if task is not None:
                self._resume(task, events)
            elif (handler := self._handlers.get(descriptor)) is not None:
                handler()
        if len(ready) == BATCH and self._full_turns * BATCH < len(self._waiting):
            # There may be more, and they come before deadlines; in as many turns, all that was here has been served.
            self._asked = self._asked if self._full_turns else before
            self._full_turns += 1
            return
        self._expire(self._asked if self._full_turns else before)
        self._full_turns = 0

    def _expire(self, now: float) -> None:
        """Everything whose time had come when the kernel was asked, and gave no answer."""
        times = self._times
        while times and times[0][0] <= now:
            _, _, turn, task = heapq.heappop(times)
            if task.steps is not None:
                self._remember(task, turn)
        if len(times) > 2 * self.under_way + SPENT_LIMIT:
            times[:] = [entry for entry in times if entry[3].steps is not None]
            heapq.heapify(times)

    def _remind(self, when: float, task: Task, turn: int) -> None:
        self._count += 1
        heapq.heappush(self._times, (when, self._count, turn, task))

    def _remember(self, task: Task, turn: int) -> None:
        """A reminder is due: turn 0 is the probe's deadline, any other one wait's own ``until``."""
        if turn == 0:
            self._resume(task, None, Expired())
        elif turn == task.turn:
            self._resume(task, None)

    def _resume(self, task: Task, value: Any, error: Expired | None = None) -> None:
        """Advance a task to its next wait or its end; every way a mechanism can end is here."""
        steps = task.steps
        if steps is None:
            return
        try:
            where, what, until = steps.throw(error) if error else steps.send(value)
            if not error:
                self._park(task, where, what, until)
                return
        except StopIteration:
            self._end(task, task.record.reason, task.record.detail)
            return
        except Exception as failure:  # noqa: BLE001, a target must not be able to end the agent by what it sends
            reason, detail = _why(failure, task.record.phase)
        else:  # a mechanism that goes on after its deadline would be a bug, and must not hang the probe
            reason, detail = f"timeout_{task.record.phase}", ""
        _stop(steps)
        self._end(task, reason, detail)

    def _park(self, task: Task, where: int, what: Any, until: float) -> None:
        """Wait for what a task asks for; its deadline is remembered from its first wait on."""
        if not task.turn:
            self._remind(task.deadline, task, 0)
        task.turn += 1
        if until:
            self._remind(until, task, task.turn)
        if where == MAIL:
            self._forget(task)
            task.key = what
            self._mail[what] = task
            return
        # A closed descriptor leaves epoll by itself, and its number comes again: what is known of it is a guess.
        known = where == task.descriptor
        if not known:
            self._forget(task)
            task.descriptor = where
        self._waiting[where] = task
        try:
            if known:
                self._epoll.modify(where, what)
            else:
                self._epoll.register(where, what)
        except FileNotFoundError:
            self._epoll.register(where, what)
        except FileExistsError:
            self._epoll.modify(where, what)

    def _forget(self, task: Task) -> None:
        """No longer wait; the descriptor's number may be another task's by now."""
        if self._waiting.get(task.descriptor) is task:
            del self._waiting[task.descriptor]
        task.descriptor = -1
        if task.key is not None and self._mail.get(task.key) is task:
            del self._mail[task.key]
        task.key = None

    def _end(self, task: Task, reason: str, detail: str) -> None:
        if task.turn:
            self._forget(task)
        task.steps = None
        self.under_way -= 1
        record = task.record
        record.reason, record.detail = reason, detail
        task.done(record)


def _why(failure: Exception, phase: str) -> tuple[str, str]:
    """Reason and detail of what a mechanism ended with."""
    if isinstance(failure, Expired):
        return f"timeout_{phase}", ""
    if isinstance(failure, Failed):
        return failure.reason, failure.detail
    if isinstance(failure, OSError):
        return of_errno(failure.errno or 0, phase), one_line(f"{phase}: {failure.strerror or failure}")
    return "internal", one_line(f"{type(failure).__name__}: {failure}")


def _stop(steps: Steps) -> None:
    """Let a mechanism close what it holds; what it does instead is not our concern."""
    with contextlib.suppress(Exception):
        steps.close()
