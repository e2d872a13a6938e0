"""A path on a real mesh is broken in one way at a time, and the trace must name that way and the hop."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from clusters import Lab
from federation.mesh import Mesh
from tracing import workload
from tracing.breaking import BREAKAGES, Breakage
from tracing.workload import Upstream, Workload
from tracing.world import World

from meshkit.cli import wiring
from meshkit.events import ignore
from meshkit.federation.state import State

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LONGEST_S = 10.0
CONNECTION_S = 60.0


@pytest.fixture(scope="module")
def world(lab: Lab) -> Iterator[World]:
    """A federation, a frontend in its first datacenter and a backend in its second, and leave to connect."""
    mesh = Mesh(lab)
    mesh.federate()
    here, there = lab.names
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(lab.kubeconfig))
        patch.setenv("MESHKIT_STATE_DIR", str(lab.state))
        held = State("mesh")
        identity = held.identity()
        assert identity
        with wiring.connect(identity.federation, held, ignore, CONNECTION_S) as context:
            backend = workload.start(lab, context, Workload(there, "backend"))
            frontend = workload.start(lab, context, Workload(here, "frontend", [Upstream("backend", there)]))
            made = World(lab, context, frontend, backend)
            lab.meshkit("allow", "frontend", "backend")
            made.mends()
            yield made
            for each in (frontend, backend):
                workload.stop(lab, context, each)
            lab.meshkit("intentions", "--remove", "frontend", "backend")


def test_a_path_that_works_is_healthy_within_ten_seconds(world: World) -> None:
    """Every hop passes, those that are measured with a time, and what was tried is told."""
    seen = world.trace()

    assert (seen["verdict"], seen["cause"], seen["exit_code"]) == ("healthy", None, 0), seen
    assert [hop["verdict"] for hop in seen["hops"]] == ["passes"] * 7
    assert all(hop["took_s"] for hop in seen["hops"][2:])
    assert any(seen["tag"] in line for line in seen["tried"])
    assert seen["took_s"] < LONGEST_S


@pytest.mark.breakages
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_breakage_is_named(world: World, breakage: Breakage) -> None:
    """The cause's code and the hop; afterwards the path works again."""
    with breakage.break_it(world):
        seen = world.trace()
    world.mends()

    named = seen["cause"] and seen["cause"]["code"]
    assert (named, seen["first_broken"]) == (breakage.code, breakage.hop), json.dumps(seen, indent=1)
    assert breakage.verdict in ("any", seen["verdict"])
    assert seen["exit_code"] == (seen["verdict"] == "broken")
    assert seen["cause"]["remedy"]
    assert "{" not in seen["cause"]["remedy"]
