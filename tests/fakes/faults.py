"""Things going wrong on purpose: an API that is away, hangs or refuses, and a process that is killed mid-write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fakes.clock import FakeClock
from meshkit.errors import ForbiddenError, UnreachableError

WRITES = frozenset(
    {
        "create",
        "apply",
        "patch",
        "delete",
        "install",
        "uninstall",
        "write_config_entry",
        "delete_config_entry",
        "write_policy",
        "write_token",
        "force_leave",
    }
)
"""Every method of the protocols, and of the state directory, that changes something outside the process."""

KUBECTL_VERBS = {"apply": ("patch", "create"), "forward": ("create",), "exec": ("create",), "pod_get": ("get",)}


@dataclass
class Faults:
    """What is wrong with one API: all calls fail while ``unreachable``, take ``hang_s`` first when it hangs."""

    where: str
    clock: FakeClock | None = None
    unreachable: bool = False
    hang_s: float = 0.0
    denied: set[tuple[str, str]] = field(default_factory=set)
    calls: int = 0

    def forbid(self, verb: str, resource: str) -> None:
        """Refuse one verb on one resource, such as ``create`` on ``secrets`` or ``get`` on ``pods/log``."""
        self.denied.add((verb, resource))

    def allows(self, verb: str, resource: str) -> bool:
        return (verb, resource) not in self.denied

    def check(self, method: str = "get", resource: str = "") -> None:
        """Raise what a call of ``method`` on ``resource`` meets now."""
        self.calls += 1
        if self.hang_s:
            if self.clock:
                self.clock.advance(self.hang_s)
            raise UnreachableError(f"{self.where}: the API server did not answer within {self.hang_s:g} s")
        if self.unreachable:
            raise UnreachableError(f"{self.where}: the API server cannot be reached", hint="is the cluster up?")
        for verb in KUBECTL_VERBS.get(method, (method,)):
            if not self.allows(verb, resource):
                raise ForbiddenError(
                    f"{self.where}: user cannot {verb} resource {resource}",
                    hint="ask the cluster's owner for this permission",
                )


class Killed(BaseException):
    """SIGKILL as seen by a test: nothing may catch it, so nothing tidies up."""


class Killer:
    """Kills the process at its n-th write, counted over all backends that it wraps, and stays dead.

    ``moment`` says whether that write still happens (``after``) or not (``before``). Reads of a dead process raise
    too, so that threads beside the one that was hit stop as well.
    """

    def __init__(self, at_write: int, moment: Literal["before", "after"] = "before") -> None:
        self._at = at_write
        self._moment = moment
        self._lock = threading.Lock()
        self.writes = 0
        self.dead = False

    def wrap(self, backend: Any) -> Any:
        """The backend, with its methods under the killer's eye."""
        return _Watched(backend, self)

    def write(self, work: Callable[[], Any]) -> Any:
        """One write: counted, done or not done, survived or not."""
        with self._lock:
            self.check()
            self.writes += 1
            hit = self.writes == self._at
            self.dead = hit
        if hit and self._moment == "before":
            raise Killed
        result = work()
        if hit:
            raise Killed
        return result

    def check(self) -> None:
        if self.dead:
            raise Killed


class _Watched:
    """A backend whose writes go through the killer."""

    def __init__(self, backend: Any, killer: Killer) -> None:
        self._backend = backend
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        if not callable(found):
            return found

        def watched(*args: Any, **kwargs: Any) -> Any:
            if name in WRITES:
                return self._killer.write(lambda: found(*args, **kwargs))
            self._killer.check()
            return found(*args, **kwargs)

        return watched
