"""What every step works with: the federation as described, its state, and one backend per datacenter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from meshkit.backends.base import Clock, Consul, Helm, Kube
from meshkit.errors import CombinedError, DeadlineError, MeshkitError, UnreachableError
from meshkit.events import Observer, Progress
from meshkit.federation.installs import Installs
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation

POLL_S = 0.25
"""Conditions are looked at four times a second: little is lost, and it is no load worth naming."""

T = TypeVar("T")


class CancellableClock(Clock, Protocol):
    """A clock whose sleepers can be woken when the user interrupts."""

    def cancel(self) -> None:
        """Let sleeps end at once."""
        ...


@dataclass(frozen=True)
class Context:
    """One run. ``helm`` and ``consul`` open on first use, since not every command needs them in every datacenter.

    ``resolve`` gives a name's addresses, empty while it has none.
    """

    federation: Federation
    state: State
    kube: Mapping[str, Kube]
    helm: Callable[[str], Helm]
    consul: Callable[[str], Consul]
    clock: CancellableClock
    observe: Observer
    timeout_s: float
    resolve: Callable[[str], tuple[str, ...]]
    installs: Installs = field(default_factory=Installs, compare=False)

    def each(self, work: Callable[[Datacenter], T], datacenters: Iterable[Datacenter] | None = None) -> dict[str, T]:
        """Do ``work`` in all datacenters at the same time; one failing lets the others finish, then all are reported.

        On Ctrl-C every wait ends at once, and nothing new begins.
        """
        chosen = tuple(self.federation.datacenters if datacenters is None else datacenters)
        if not chosen:
            return {}
        with ThreadPoolExecutor(len(chosen)) as pool:
            futures = {dc.name: pool.submit(work, dc) for dc in chosen}
            try:
                return _gather(futures)
            except KeyboardInterrupt:
                self.clock.cancel()
                self.installs.stop()
                raise

    def wait(
        self, task: str, scope: str, pending: Callable[[], str], *, timeout_s: float | None = None, hint: str = ""
    ) -> None:
        """Look until ``pending`` returns the empty string; its other answers say what is still awaited.

        An unreachable server counts as "not yet". DeadlineError tells what was seen last.
        """
        limit = self.timeout_s if timeout_s is None else timeout_s
        end = self.clock.monotonic() + limit
        while True:
            try:
                reason = pending()
            except UnreachableError as error:
                reason = error.message.removeprefix(f"{scope}: ")
            if not reason:
                return
            if self.clock.monotonic() >= end:
                raise DeadlineError(f"{scope}: not after {limit:g} s: {reason}", hint=hint)
            self.observe(Progress(task, reason, scope))
            self.clock.sleep(POLL_S)


def _gather(futures: Mapping[str, Future[T]]) -> dict[str, T]:
    """All results, or every failure at once: the error itself when it is one."""
    errors: list[MeshkitError] = []
    results: dict[str, T] = {}
    for name, future in futures.items():
        try:
            results[name] = future.result()
        except MeshkitError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise CombinedError(f"{len(errors)} of {len(futures)} datacenters failed", tuple(errors))
    return results
