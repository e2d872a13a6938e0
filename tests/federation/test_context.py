"""Context: work in all datacenters at once, and waits that say what they wait for."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.clock import CancelledRunError
from meshkit.errors import CombinedError, DeadlineError, MeshkitError, UnreachableError
from meshkit.events import Progress
from meshkit.model import Datacenter


def fail_in(*names: str) -> object:
    """Work that fails in some datacenters, and returns the name in the others."""

    def work(dc: Datacenter) -> str:
        if dc.name in names:
            raise MeshkitError(f"{dc.name} is broken")
        return dc.name

    return work


def test_each_gives_every_result(world: FakeFederation) -> None:
    """Results come by name; without datacenters there are none."""
    assert world.context().each(lambda dc: dc.context) == {"aks": "aks", "eks": "eks"}
    assert world.context().each(lambda dc: dc.context, ()) == {}


@pytest.mark.parametrize(
    ("broken", "message", "parts"),
    [
        pytest.param(("eks",), "eks is broken", [], id="one failure is itself"),
        pytest.param(
            ("aks", "eks"), "2 of 2 datacenters failed", ["aks is broken", "eks is broken"], id="several are combined"
        ),
    ],
)
def test_each_reports_every_failure(
    world: FakeFederation, broken: tuple[str, ...], message: str, parts: list[str]
) -> None:
    """The others are let finish, and then all failures are reported."""
    with pytest.raises(MeshkitError) as raised:
        world.context().each(fail_in(*broken))  # type: ignore[arg-type]
    assert raised.value.message == message
    assert [e.message for e in getattr(raised.value, "errors", ())] == parts
    assert isinstance(raised.value, CombinedError) is bool(parts)


def test_interrupt_wakes_the_others(world: FakeFederation) -> None:
    """On Ctrl-C a wait in another datacenter ends at once instead of at its deadline."""
    context = world.context(timeout_s=1e9)
    waiting = []

    def work(dc: Datacenter) -> None:
        if dc.name == "aks":
            raise KeyboardInterrupt
        try:
            context.wait("task", dc.name, lambda: "not yet")
        except CancelledRunError:
            waiting.append(dc.name)
            raise

    with pytest.raises(KeyboardInterrupt):
        context.each(work)
    assert waiting == ["eks"]


def test_wait_tells_what_it_waits_for(world: FakeFederation) -> None:
    """Every look that is not the last is an event, and no time passes when the first look is good."""
    answers = ["one of two", "one of two", ""]
    world.context().wait("task", "aks", lambda: answers.pop(0))
    assert world.events == [Progress("task", "one of two", "aks")] * 2
    before = world.clock.slept_s
    world.context().wait("task", "aks", lambda: "")
    assert world.clock.slept_s == before


def test_wait_ends_with_what_was_seen_last(world: FakeFederation) -> None:
    """The error names scope, limit and last answer, with the hint that was given."""
    with pytest.raises(DeadlineError, match=r"^aks: not after 12\.5 s: still nothing$") as raised:
        world.context().wait("task", "aks", lambda: "still nothing", timeout_s=12.5, hint="look there")
    assert raised.value.hint == "look there"


def test_unreachable_is_not_yet(world: FakeFederation) -> None:
    """A server that does not answer may come back; when it does not, that is what was seen last."""

    def away() -> str:
        raise UnreachableError("aks: no answer")

    with pytest.raises(DeadlineError, match="aks: not after 60 s: no answer"):
        world.context().wait("task", "aks", away)


def test_other_errors_end_the_wait(world: FakeFederation) -> None:
    """What time does not mend is not waited for."""

    def forbidden() -> str:
        raise MeshkitError("no")

    with pytest.raises(MeshkitError, match="no"):
        world.context().wait("task", "aks", forbidden)
    assert world.clock.slept_s == 0
