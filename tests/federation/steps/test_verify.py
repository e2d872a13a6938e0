"""Verify: requests pass with an intention and are refused without, and no trace of the trying is left."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Note
from meshkit.federation import trial
from meshkit.federation.steps import verify

KIND = "service-intentions"
AKS, EKS = "mesh-probe-aks", "mesh-probe-eks"


def entries(mesh: FakeFederation) -> dict[str, list[tuple[str, str]]]:
    """Sources and actions by destination, as the primary holds them."""
    found = mesh.context().consul("aks").config_entries(KIND)
    return {e["Name"]: [(s["Name"], s.get("Action", "permissions")) for s in e["Sources"]] for e in found}


def write(mesh: FakeFederation, destination: str, *sources: dict[str, Any]) -> None:
    """An intention of the user's."""
    mesh.context().consul("aks").write_config_entry({"Kind": KIND, "Name": destination, "Sources": list(sources)})


DENY_ALL = {"*": [("*", "deny")]}


def test_nothing_is_left_behind(mesh: FakeFederation) -> None:
    """After a good run only default deny is there."""
    verify.act(mesh.context())
    assert entries(mesh) == DENY_ALL


def test_plan_always_tries() -> None:
    """Every ordered pair is tried on every run."""
    (change,) = verify.plan(FakeFederation(("aks", "eks", "gke")).context())
    assert (change.action, change.what) == ("verify", "6 requests through the mesh, allowed and refused")


def test_a_path_that_never_passes(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair that fails is named with its direction, and the temporary intentions are gone all the same."""
    monkeypatch.setattr(mesh.clusters["eks"], "answer", lambda *_: (503, ""))
    with pytest.raises(
        DeadlineError, match=r"^eks to aks: not after 60 s: allowed, and the request is not through yet$"
    ) as raised:
        verify.act(mesh.context())
    assert raised.value.hint == "meshkit check names the part that fails"
    assert entries(mesh) == DENY_ALL


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="an empty body"),
        pytest.param("<html>welcome</html>", id="a web page"),
        pytest.param('{"service": "mesh-probe-eks"}', id="the echo of its own probe"),
        pytest.param("[]", id="JSON of another shape"),
    ],
)
def test_only_the_far_probe_s_answer_counts(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """An answer with status 200 that is not the far probe's own echo is no proof."""
    monkeypatch.setattr(mesh.clusters["eks"], "answer", lambda *_: (200, body))
    with pytest.raises(DeadlineError, match="eks to aks"):
        verify.act(mesh.context())


def test_a_path_that_is_never_refused(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mesh that lets everything through fails, and says which pair passes without an intention."""
    monkeypatch.setattr(mesh.clusters["aks"], "answer", lambda *_: (200, f'{{"service": "{EKS}"}}'))
    with pytest.raises(DeadlineError, match=r"aks to eks: .* without an intention, and the request still passes"):
        verify.act(mesh.context())


def test_what_has_not_converged_is_named(mesh: FakeFederation) -> None:
    """Before any request, the first check that does not hold says what is awaited."""
    mesh.wan.cut("aks", "eks")
    with pytest.raises(DeadlineError, match=r"^mesh: not after 60 s: not yet: ") as raised:
        verify.act(mesh.context())
    assert raised.value.hint == "meshkit check says what to do"
    assert entries(mesh) == DENY_ALL


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_killed_while_a_request_is_tried(mesh: FakeFederation, moment: Any, place: int) -> None:
    """Whatever trial intentions a killed run left, the next run takes them away."""
    with pytest.raises(Killed):
        verify.act(mesh.context(killer=Killer(place, moment)))
    verify.act(mesh.context())
    assert entries(mesh) == DENY_ALL


def test_a_kill_does_leave_trials(mesh: FakeFederation) -> None:
    """What the test above cleans up is really there after a kill."""
    with pytest.raises(Killed):
        verify.act(mesh.context(killer=Killer(2, "after")))
    assert {AKS, EKS} <= entries(mesh).keys()


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        pytest.param(EKS, {"Name": AKS, "Action": "allow", "Description": "ours"}, id="an exact allow"),
        pytest.param(EKS, {"Name": AKS, "Action": "deny"}, id="an exact deny"),
        pytest.param(EKS, {"Name": "*", "Action": "allow"}, id="an allow for every source"),
        pytest.param("*", {"Name": AKS, "Action": "allow"}, id="an allow to every destination"),
    ],
)
def test_intentions_of_the_user_are_held_to(mesh: FakeFederation, destination: str, source: dict[str, Any]) -> None:
    """A user's intention that decides for a pair is expected as it is, told, and untouched afterwards."""
    others = [{"Name": "*", "Action": "deny"}] if destination == "*" else []
    write(mesh, destination, source, *others)
    before = mesh.context().consul("aks").config_entries(KIND)
    verify.act(mesh.context())
    assert mesh.context().consul("aks").config_entries(KIND)[0]["Sources"] == before[0]["Sources"]
    assert entries(mesh)[destination][0] == (source["Name"], source["Action"])
    notes = [event for event in mesh.events if isinstance(event, Note)]
    assert notes == [Note("an intention of yours decides here, and is held to", "aks to eks")]


def test_intention_of_the_user_that_does_not_hold(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user allows must really pass."""
    write(mesh, EKS, {"Name": AKS, "Action": "allow"})
    monkeypatch.setattr(mesh.clusters["aks"], "answer", lambda *_: (503, ""))
    with pytest.raises(DeadlineError, match=r"aks to eks: .* allowed, and the request is not through yet"):
        verify.act(mesh.context())
    assert entries(mesh)[EKS] == [(AKS, "allow")]


def test_intention_with_permissions_is_not_replaced(mesh: FakeFederation) -> None:
    """HTTP permissions of a user's between two probes survive, since trying would have to replace them."""
    permissions = [{"Action": "allow", "HTTP": {"PathPrefix": "/health"}}]
    write(mesh, EKS, {"Name": AKS, "Permissions": permissions})
    verify.act(mesh.context())
    (found,) = [e for e in mesh.context().consul("aks").config_entries(KIND) if e["Name"] == EKS]
    assert found["Sources"][0]["Permissions"] == permissions


def test_intentions_between_other_services_stay(mesh: FakeFederation) -> None:
    """Intentions that have nothing to do with the probes are not even written again."""
    write(mesh, "api", {"Name": "web", "Action": "allow"})
    (before,) = [e for e in mesh.context().consul("aks").config_entries(KIND) if e["Name"] == "api"]
    verify.act(mesh.context())
    (after,) = [e for e in mesh.context().consul("aks").config_entries(KIND) if e["Name"] == "api"]
    assert after == before


def test_writes_failing_half_way(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intentions written before a failing write are taken away too."""
    plain = FakeConsul.write_config_entry

    def fails_for_aks(self: FakeConsul, entry: dict[str, Any], **options: Any) -> bool:
        if entry["Name"] == AKS:
            raise MeshkitError("aks: consul: no")
        return plain(self, entry, **options)

    monkeypatch.setattr(FakeConsul, "write_config_entry", fails_for_aks)
    with pytest.raises(MeshkitError, match="aks: consul: no"):
        verify.act(mesh.context())
    assert entries(mesh) == DENY_ALL


def test_a_run_at_the_same_time_keeps_its_intentions(mesh: FakeFederation) -> None:
    """What it allows is still tried to pass; that it is refused without can't be seen now, which is told."""
    context = mesh.context()
    (pair, _) = context.federation.pairs
    with trial.allowed(context, [pair], trial.for_run(context, float("inf"))):
        verify.act(mesh.context())
        assert entries(mesh) == DENY_ALL | {EKS: [(AKS, "allow")]}
    assert entries(mesh) == DENY_ALL
    (note,) = [event for event in mesh.events if isinstance(event, Note)]
    assert (note.scope, note.text) == (
        "aks to eks",
        "probes that are run at the same time are allowed here, so the refusal is not tried",
    )
