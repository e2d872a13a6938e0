"""A path on a real mesh is broken in one way at a time, and the trace must name that way and the hop."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from clusters import Lab
from federation.mesh import Mesh
from tracing import workload
from tracing.breaking import BREAKAGES, Breakage, access, catalog, gateways
from tracing.clock import shifted
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
            made.renew_servers()
            yield made
            for each in (frontend, backend):
                workload.stop(lab, context, each)
            lab.meshkit("intentions", "--remove", "frontend", "backend")


def test_a_path_that_works_is_healthy_within_ten_seconds(world: World) -> None:
    """Every hop passes, those that are measured with a time, and what was tried is told."""
    seen = world.command()

    assert (seen["verdict"], seen["cause"], seen["exit_code"]) == ("healthy", None, 0), seen
    assert [hop["verdict"] for hop in seen["hops"]] == ["passes"] * 7
    assert all(hop["took_s"] for hop in seen["hops"][2:])
    assert any(seen["tag"] in line for line in seen["tried"])
    assert seen["took_s"] < LONGEST_S


def test_a_path_that_is_denied_ends_the_command_with_1(world: World) -> None:
    """The intention that decides is named, and the remedy can be pasted."""
    with access.intention_deny(world):
        seen = world.command()
    world.mends()

    assert (seen["verdict"], seen["cause"]["code"], seen["exit_code"]) == ("broken", "intention_deny", 1), seen
    assert seen["cause"]["remedy"] == "meshkit allow frontend backend"


def test_a_federation_that_is_well_is_said_to_be(world: World) -> None:
    """Nothing breaks or harms a path; every pair of datacenters was traced, both ways."""
    seen = world.doctor()

    harm = [ailment for ailment in seen["ailments"] if ailment["weight"] != "note"]
    assert (harm, seen["exit_code"], seen["unseen"]) == ([], 0, {}), seen
    first, second = world.lab.names
    assert {tuple(part.split("/")[0] for part in path.split(" to ")) for path in seen["looked_at"]} == {
        (first, second),
        (second, first),
    }


@pytest.mark.breakages
def test_several_breakages_are_all_found_worst_first(world: World) -> None:
    """A gateway that is down, a service that nobody may be sent to, and a clock that is off."""
    dc = world.destination.datacenter
    clock = shifted(world.process("kube-apiserver", dc), 300)
    with catalog.health_critical(world), gateways.remote_gateway_down(world), clock:
        seen = world.doctor()
    world.mends()

    found = [(ailment["code"], ailment["datacenter"]) for ailment in seen["ailments"]]
    wanted = [("gateway_down", dc), ("health_critical", dc), ("clock_skew", dc)]
    assert [each for each in found if each in wanted] == wanted, seen
    assert found[0] == wanted[0]
    assert seen["exit_code"] == 1


@pytest.mark.breakages
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_breakage_is_named(world: World, breakage: Breakage) -> None:
    """The cause's code and the hop; afterwards the path works again."""
    with breakage.break_it(world):
        seen = world.trace(by_name=breakage.by_name)
    world.mends()

    named = seen["cause"] and seen["cause"]["code"]
    assert (named, seen["first_broken"]) == (breakage.code, breakage.hop), json.dumps(seen, indent=1)
    assert breakage.verdict in ("any", seen["verdict"])
    assert seen["cause"]["remedy"]
    assert "{" not in seen["cause"]["remedy"]
