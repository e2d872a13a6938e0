"""Segmentation: allow and deny say what holds, in every datacenter, and lose nothing that was there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.consul.config_entries import Intention
from meshkit.errors import DeadlineError, MeshkitError, UsageError
from meshkit.events import Note
from meshkit.federation import compare_and_set, segmentation

ALLOW = Intention("web", "api", "allow")
DENY = Intention("web", "api", "deny")
DEFAULT = Intention("*", "*", "deny")
KIND = "service-intentions"


def entries(mesh: FakeFederation, datacenter: str = "aks") -> list[dict[str, Any]]:
    """Intentions as a datacenter holds them."""
    return list(mesh.context().consul(datacenter).config_entries(KIND))


def test_written_everywhere(mesh: FakeFederation) -> None:
    """When the command returns, every datacenter has the intention."""
    assert segmentation.write(mesh.context(), ALLOW) is True
    for name in ("aks", "eks"):
        assert [e["Name"] for e in entries(mesh, name)] == ["*", "api"]
    assert segmentation.listed(mesh.context()) == (ALLOW, DEFAULT)


@pytest.mark.parametrize("wanted", [ALLOW, DENY, Intention("*", "api", "allow"), Intention("web", "*", "allow")])
def test_idempotent(mesh: FakeFederation, wanted: Intention) -> None:
    """Saying it again changes nothing, not even the entry's index."""
    assert segmentation.write(mesh.context(), wanted) is True
    before = entries(mesh)
    assert segmentation.write(mesh.context(), wanted) is False
    assert entries(mesh) == before


def test_deny_replaces_allow(mesh: FakeFederation) -> None:
    """The last word counts; there is one intention per pair."""
    segmentation.write(mesh.context(), ALLOW)
    segmentation.write(mesh.context(), DENY)
    assert segmentation.listed(mesh.context()) == (DENY, DEFAULT)


def test_other_sources_stay(mesh: FakeFederation) -> None:
    """Sources of the same destination are kept as they are, and so are other fields of the entry."""
    theirs = {"Name": "batch", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/"}}]}
    mesh.context().consul("aks").write_config_entry(
        {"Kind": KIND, "Name": "api", "Sources": [theirs], "Meta": {"owner": "team"}}
    )
    segmentation.write(mesh.context(), ALLOW)
    (entry,) = [e for e in entries(mesh) if e["Name"] == "api"]
    assert entry["Meta"] == {"owner": "team"}
    assert {s["Name"] for s in entry["Sources"]} == {"batch", "web"}
    assert next(s for s in entry["Sources"] if s["Name"] == "batch")["Permissions"] == theirs["Permissions"]


@pytest.mark.parametrize("wanted", [ALLOW, DENY])
def test_permissions_are_not_replaced(mesh: FakeFederation, wanted: Intention) -> None:
    """HTTP permissions say more than allow or deny; losing them takes more than this command."""
    source = {"Name": "web", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/"}}]}
    mesh.context().consul("aks").write_config_entry({"Kind": KIND, "Name": "api", "Sources": [source]})
    before = entries(mesh)
    with pytest.raises(MeshkitError, match="the intention from web to api has HTTP permissions") as raised:
        segmentation.write(mesh.context(), wanted)
    assert raised.value.hint
    assert entries(mesh) == before


def test_unknown_services_are_noted(mesh: FakeFederation) -> None:
    """An intention may come before its service, but a typing error should be seen."""
    segmentation.write(mesh.context(), Intention("mesh-probe-aks", "apii", "allow"))
    assert [e for e in mesh.events if isinstance(e, Note)] == [
        Note("no service apii is in any datacenter's catalog yet")
    ]


def test_service_of_another_datacenter_is_known(mesh: FakeFederation) -> None:
    """A service counts as known wherever it runs, and so does the wildcard."""
    segmentation.write(mesh.context(), Intention("*", "mesh-probe-eks", "allow"))
    assert [e for e in mesh.events if isinstance(e, Note)] == []


def test_datacenter_that_does_not_get_it(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """If replication stands still the command does not claim success, and names the datacenter."""
    monkeypatch.setattr(mesh.wan, "replicates", lambda _: False)
    with pytest.raises(DeadlineError, match=r"^eks: not after 60 s: not copied from the primary yet$"):
        segmentation.write(mesh.context(), ALLOW)


def test_removed(mesh: FakeFederation) -> None:
    """An intention goes, and with the last one its entry."""
    segmentation.write(mesh.context(), ALLOW)
    segmentation.write(mesh.context(), Intention("batch", "api", "deny"))
    assert segmentation.remove(mesh.context(), "web", "api") is True
    assert segmentation.listed(mesh.context()) == (Intention("batch", "api", "deny"), DEFAULT)
    assert segmentation.remove(mesh.context(), "batch", "api") is True
    assert [e["Name"] for e in entries(mesh)] == ["*"]


def overtaken(monkeypatch: pytest.MonkeyPatch, method: str, others: Iterable[Callable[[FakeConsul], object]]) -> None:
    """Let somebody else write just before each of the next calls of a method, between its caller's read and write."""
    plain, waiting = getattr(FakeConsul, method), list(others)

    def second(self: FakeConsul, *args: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop(0)(self)
        return plain(self, *args, **options)

    monkeypatch.setattr(FakeConsul, method, second)


def sole(name: str) -> Callable[[FakeConsul], object]:
    """Somebody else's whole entry of api, with one source."""
    theirs = {"Kind": KIND, "Name": "api", "Sources": [{"Name": name, "Action": "allow"}]}
    plain = FakeConsul.write_config_entry
    return lambda consul: plain(consul, theirs)


@pytest.mark.parametrize("exists", [False, True], ids=["the first intention", "one more intention"])
def test_two_at_once(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:  # noqa: FBT001 - a row
    """An intention that came in after the entry was read is kept."""
    if exists:
        segmentation.write(mesh.context(), Intention("first", "api", "allow"))
    overtaken(monkeypatch, "write_config_entry", [sole("second")])
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert {i.source for i in segmentation.listed(mesh.context())} == {"second", "web", "*"}


def test_the_same_twice_at_once(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second has changed nothing."""
    overtaken(monkeypatch, "write_config_entry", [sole("web")])
    assert segmentation.write(mesh.context(), ALLOW) is False


def test_removed_while_another_comes(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is not deleted under an intention that has just been added to it."""
    segmentation.write(mesh.context(), ALLOW)
    both = {"Kind": KIND, "Name": "api", "Sources": [{"Name": n, "Action": "allow"} for n in ("web", "second")]}
    overtaken(monkeypatch, "delete_config_entry", [lambda consul: consul.write_config_entry(both)])
    assert segmentation.remove(mesh.context(), "web", "api") is True
    assert segmentation.listed(mesh.context()) == (Intention("second", "api", "allow"), DEFAULT)


def test_one_of_two_removed_while_a_third_comes(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays in the entry is what is there at the time of writing."""
    for name in ("web", "first"):
        segmentation.write(mesh.context(), Intention(name, "api", "allow"))
    overtaken(monkeypatch, "write_config_entry", [sole("third")])
    assert segmentation.remove(mesh.context(), "web", "api") is False
    assert segmentation.listed(mesh.context()) == (Intention("third", "api", "allow"), DEFAULT)


def test_always_overtaken(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, with an error, when others write all the time."""
    overtaken(monkeypatch, "write_config_entry", [sole(f"s{n}") for n in range(compare_and_set.ATTEMPTS)])
    with pytest.raises(MeshkitError, match="the intentions to api are changed by others all the time") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert raised.value.hint


@pytest.mark.parametrize(("source", "destination"), [("web", "api"), ("nobody", "*")])
def test_nothing_to_remove(mesh: FakeFederation, source: str, destination: str) -> None:
    """Removing what is not there is no error, and changes nothing."""
    before = entries(mesh)
    assert segmentation.remove(mesh.context(), source, destination) is False
    assert entries(mesh) == before


def test_default_deny_can_not_be_removed(mesh: FakeFederation) -> None:
    """Without it everything would be allowed."""
    with pytest.raises(UsageError, match="the default-deny intention is part of the federation"):
        segmentation.remove(mesh.context(), "*", "*")
    assert segmentation.listed(mesh.context()) == (DEFAULT,)


@pytest.mark.parametrize("name", ["*", "web", "Web2", "a", "a" * 64])
def test_service_names(name: str) -> None:
    """What Consul takes as a name that can be looked up."""
    assert segmentation.check_service(name) == name


@pytest.mark.parametrize("name", ["", "a b", "web.api", "-web", "web-", "w*", "a" * 65, "web\n", "übung"])
def test_no_service_names(name: str) -> None:
    """What would never match any service is refused before anything is asked."""
    with pytest.raises(UsageError, match="is not a service name"):
        segmentation.check_service(name)
