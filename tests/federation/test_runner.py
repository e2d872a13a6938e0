"""Runner: steps in order, the first failure ends the run, and looking writes nothing."""

from __future__ import annotations

import pytest

from fakes.faults import Killer
from fakes.federation import FakeFederation
from meshkit.errors import MeshkitError
from meshkit.events import Failed, Finished, Started
from meshkit.federation import runner
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.plan import STEPS, Step

CHANGE = Change("create", "something")


class Recorder:
    """Steps that note when they are looked at and acted on."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def step(self, name: str, *changes: Change, fails: str = "") -> Step:
        def plan(context: Context) -> tuple[Change, ...]:
            del context
            self.done.append(f"plan {name}")
            if fails == "plan":
                raise MeshkitError(f"{name} can't be seen")
            return changes

        def act(context: Context) -> None:
            context.clock.sleep(2)
            self.done.append(f"act {name}")
            if fails == "act":
                raise MeshkitError(f"{name} went wrong")

        return Step(name, f"does {name}", plan, act, 7)


def test_acts_only_where_something_differs(world: FakeFederation) -> None:
    """Each step looks first; what is as described is only looked at, and says so."""
    recorder = Recorder()
    steps = (recorder.step("one", CHANGE), recorder.step("two"))
    results = runner.run(world.context(), steps)
    assert recorder.done == ["plan one", "act one", "plan two"]
    assert [(r.name, r.seconds, r.changes) for r in results] == [("one", 2, (CHANGE,)), ("two", 0, ())]
    assert world.events == [
        Started("one", expected_s=7),
        Finished("one", 2, changed=True, text="does one"),
        Started("two", expected_s=7),
        Finished("two", 0, changed=False, text="already as described"),
    ]


@pytest.mark.parametrize(
    ("fails", "done", "line"),
    [
        pytest.param("plan", ["plan one", "act one", "plan two"], "two can't be seen", id="while looking"),
        pytest.param("act", ["plan one", "act one", "plan two", "act two"], "two went wrong", id="while acting"),
    ],
)
def test_stops_at_the_first_failure(world: FakeFederation, fails: str, done: list[str], line: str) -> None:
    """Nothing is undone, no later step begins, and the step that failed is told."""
    recorder = Recorder()
    steps = (recorder.step("one", CHANGE), recorder.step("two", CHANGE, fails=fails), recorder.step("three", CHANGE))
    with pytest.raises(MeshkitError, match=line):
        runner.run(world.context(), steps)
    assert recorder.done == done
    assert world.events[-1] == Failed("two", line)


def test_plan_writes_nothing(world: FakeFederation) -> None:
    """Looking at all steps of a new federation changes neither a cluster nor the state directory."""
    killer = Killer(at_write=0)
    before = {name: cluster.everything() for name, cluster in world.clusters.items()}
    found = runner.plan(world.context(killer=killer))
    assert killer.writes == 0
    assert [step.name for step, _ in found] == [step.name for step in STEPS]
    assert all(changes for step, changes in found if step.name != "preflight")
    assert {name: cluster.everything() for name, cluster in world.clusters.items()} == before
    assert not world.state.path.exists()


def test_second_run_changes_nothing(mesh: FakeFederation) -> None:
    """A run that has nothing to do writes nothing but the intentions that it tries requests with."""
    results = runner.run(mesh.context())
    assert [(r.name, bool(r.changes)) for r in results] == [(s.name, s.name == "verify") for s in STEPS]
    finished = {e.task: e.changed for e in mesh.events if isinstance(e, Finished)}
    assert finished == {step.name: step.name == "verify" for step in STEPS}


def test_second_run_writes_only_its_own_intentions(mesh: FakeFederation) -> None:
    """Counted in writes: for each of two destinations one intention that is made and taken away again."""
    killer = Killer(at_write=0)
    runner.run(mesh.context(killer=killer))
    assert killer.writes == 4
