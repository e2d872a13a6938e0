"""The state directory: the same CA and the same key for ever, and none of it shown."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.federation import described
from meshkit.config import from_arguments
from meshkit.errors import MeshkitError
from meshkit.federation.private_folder import PrivateFolder
from meshkit.federation.state import TOKEN_NAMES, State, known, root
from meshkit.model import Federation
from meshkit.pki import profiles
from meshkit.pki.inspect import inspect

NOW = datetime(2030, 1, 2, tzinfo=UTC)
FEDERATION = from_arguments(["aks", "eks"])


@pytest.fixture
def state() -> State:
    """Of a federation that this machine does not know yet."""
    return State("mesh")


def fill(state: State, federation: Federation = FEDERATION) -> None:
    """All that a first run writes, in its order."""
    state.save_identity(federation)
    authority = state.ensure_authority(profiles.load("ca"), NOW)
    state.ensure_secrets()
    for dc in federation.datacenters:
        sans = profiles.load("server").sans(datacenter=dc.name, release="consul", namespace=dc.namespace)
        state.save_server_certificate(dc.name, *authority.issue(profiles.load("server"), sans, dc.name, NOW))


def test_an_unknown_federation_has_nothing(state: State) -> None:
    """And asking makes nothing."""
    assert (state.identity(), state.authority(), state.secrets(), state.server_certificate("aks")) == (None,) * 4
    assert known() == ()
    assert not root().exists()


def test_everything_is_the_same_for_the_next_run(state: State) -> None:
    """Id, CA, gossip key, tokens and server certificates."""
    fill(state)
    later = State("mesh")
    before, after = state.authority(), later.authority()
    assert before
    assert after
    assert later.identity() == state.identity()
    assert after.fingerprint == before.fingerprint
    assert later.secrets() == state.secrets()
    assert later.server_certificate("eks") == state.server_certificate("eks")
    assert known() == ("mesh",)


def test_ensuring_again_changes_nothing(state: State) -> None:
    """A second run, on another day, with the same description."""
    fill(state)
    before = {file.name: file.read_bytes() for file in state.path.iterdir()}
    identity = state.save_identity(FEDERATION)
    state.ensure_authority(profiles.load("ca"), datetime(2031, 1, 1, tzinfo=UTC))
    state.ensure_secrets()
    assert {file.name: file.read_bytes() for file in state.path.iterdir()} == before
    assert state.identity() == identity


@pytest.mark.parametrize("killed_after", [1, 2, 3, 4])
def test_a_kill_between_two_writes_changes_nothing_that_was_written(
    state: State, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """The next run keeps what is there and makes what is missing."""
    written: list[str] = []
    write = PrivateFolder.write

    def dying(folder: PrivateFolder, name: str, content: bytes) -> None:
        if len(written) == killed_after:
            (folder.path / f"{name}.partial").write_bytes(content[: len(content) // 2])
            raise KeyboardInterrupt
        written.append(name)
        write(folder, name, content)

    monkeypatch.setattr(PrivateFolder, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        fill(state)
    monkeypatch.setattr(PrivateFolder, "write", write)
    # Server certificates are left out: fill() issues them without a look at what is there.
    kept = [name for name in written if not name.startswith("server")]
    before = [(state.path / name).read_bytes() for name in kept]
    with State("mesh").locked():
        fill(State("mesh"))
    assert [(state.path / name).read_bytes() for name in kept] == before
    assert not list(state.path.glob("*.partial"))


def test_the_description_changes_and_the_id_stays(state: State) -> None:
    """A datacenter joins, Helm values and options change; it is still the same federation."""
    first = state.save_identity(FEDERATION)
    grown = from_arguments(["aks", "eks", "gke"], servers=3)
    values = {"server": {"storage": "20Gi", "list": [1, {"a": None}]}}
    changed = replace(grown, datacenters=(*grown.datacenters[:2], replace(grown.datacenters[2], values=values)))
    second = state.save_identity(changed)
    assert second.id == first.id
    assert State("mesh").identity() == second
    assert second.federation == changed


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        pytest.param("light", ("light", ""), id="the light chart"),
        pytest.param("/srv/consul", ("hashicorp", "/srv/consul"), id="the folder of the official one"),
    ],
)
def test_a_description_of_before_the_official_chart_had_a_name(
    state: State, chart: str, expected: tuple[str, str]
) -> None:
    """It had one key for both, and none of the later ones."""
    fill(state)
    held = json.loads((state.path / "federation.json").read_text())
    for key in ("chart_path", "chart_version", "chart_repo", "image_registry"):
        del held[key]
    (state.path / "federation.json").write_text(json.dumps(held | {"chart": chart}))
    identity = State("mesh").identity()
    assert identity is not None
    assert (identity.federation.chart, identity.federation.chart_path) == expected


def test_gateway_options_are_kept(state: State) -> None:
    """JSON has no tuples: what is read back is what was written, so that nothing seems to have changed."""
    options = {
        "gateway_internal": True,
        "gateway_source_ranges": ("203.0.113.0/24", "2001:db8::/32"),
        "gateway_annotations": {"example.com/team": "mesh"},
        "platform": "eks",
        "load_balancer": "aws-controller",
    }
    federation = described(**options)
    state.save_identity(federation)
    found = state.identity()
    assert found
    assert found.federation == federation
    assert hash(found.federation) == hash(federation)


def test_two_federations_share_nothing(state: State) -> None:
    """Each has its folder, its id and its secrets."""
    other = State("other")
    for each in (state, other):
        fill(each)
    ours, theirs = state.secrets(), other.secrets()
    assert ours
    assert theirs
    assert ours.gossip != theirs.gossip
    assert not set(ours.tokens.values()) & set(theirs.tokens.values())
    assert known() == ("mesh", "other")


def test_a_new_purpose_gets_a_token_and_the_old_ones_stay(state: State) -> None:
    """An upgrade of meshkit must not replace a token that Consul knows."""
    before = state.ensure_secrets(("bootstrap", "agent"))
    after = state.ensure_secrets((*TOKEN_NAMES, "new"))
    assert set(after.tokens) == {*TOKEN_NAMES, "new"}
    assert after.gossip == before.gossip
    assert {name: after.tokens[name] for name in before.tokens} == before.tokens


def test_a_failed_first_run_is_no_known_federation(state: State) -> None:
    """Only the lock was made before preflight said no."""
    with state.locked():
        pass
    assert known() == ()


def test_the_ca_key_is_encrypted_under_a_passphrase() -> None:
    """With the right one it is there, with none or a wrong one the error says which."""
    fill(State("mesh", b"right"))
    assert b"ENCRYPTED" in (root() / "mesh" / "authority.pem").read_bytes()
    assert State("mesh", b"right").authority()
    with pytest.raises(MeshkitError, match="the passphrase of the CA key is wrong"):
        State("mesh", b"wrong").authority()
    with pytest.raises(MeshkitError, match="protected by a passphrase"):
        State("mesh").authority()


def test_a_wrong_passphrase_never_makes_a_new_ca() -> None:
    """The file stays as it is."""
    fill(State("mesh", b"right"))
    before = (root() / "mesh" / "authority.pem").read_bytes()
    with pytest.raises(MeshkitError):
        State("mesh", b"wrong").ensure_authority(profiles.load("ca"), NOW)
    assert (root() / "mesh" / "authority.pem").read_bytes() == before


LOADS: dict[str, Callable[[State], object]] = {
    "federation.json": lambda s: s.save_identity(FEDERATION),
    "authority.pem": lambda s: s.ensure_authority(profiles.load("ca"), NOW),
    "secrets.json": lambda s: s.ensure_secrets(),
}


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[]", b"null", b'{"id": 5, "tokens": [], "gossip": 1}'])
def test_a_damaged_file_stops_the_run_and_stays(state: State, name: str, content: bytes) -> None:
    """Making it anew would silently replace the CA, the keys or the id; an empty file is no exception."""
    fill(state)
    (state.path / name).write_bytes(content)
    with pytest.raises(MeshkitError, match="damaged") as caught:
        LOADS[name](State("mesh"))
    assert "backup" in caught.value.hint
    assert (state.path / name).read_bytes() == content


def test_an_identity_without_a_primary_is_damaged(state: State) -> None:
    """Everything after it relies on exactly one."""
    fill(state)
    held = json.loads((state.path / "federation.json").read_text())
    held["datacenters"][0]["primary"] = False
    (state.path / "federation.json").write_text(json.dumps(held))
    with pytest.raises(MeshkitError, match=r"federation\.json is damaged"):
        state.identity()


def test_a_damaged_server_certificate_is_none(state: State) -> None:
    """It is made anew by the same CA, as is one whose key is another's."""
    fill(state)
    aks, eks = state.path / "server-aks.pem", state.path / "server-eks.pem"
    torn = aks.read_text().partition("-----BEGIN PRIVATE")[0] + "".join(
        eks.read_text().partition("-----BEGIN PRIVATE")[1:]
    )
    for content in (torn.encode(), aks.read_bytes()[:-50], b"", b"\xff\xfe"):
        aks.write_bytes(content)
        assert state.server_certificate("aks") is None
    assert state.server_certificate("eks")


def test_a_server_certificate_comes_with_its_key(state: State) -> None:
    """Both in PEM, the certificate for Secrets and inspection as it is."""
    fill(state)
    found = state.server_certificate("aks")
    assert found
    assert inspect(found[0]).subject == "CN=aks"
    assert found[1].reveal().startswith("-----BEGIN PRIVATE KEY-----\n")


def test_a_datacenter_that_left_is_forgotten(state: State) -> None:
    """Its certificate goes, the other's stays, and leaving twice is no error."""
    fill(state)
    state.forget_certificate("eks")
    state.forget_certificate("eks")
    assert state.server_certificate("eks") is None
    assert state.server_certificate("aks")


def test_a_destroyed_federation_leaves_nothing(state: State) -> None:
    """Not even while it holds its own lock; a new one of the same name has another CA."""
    fill(state)
    before = state.authority()
    with state.locked():
        state.remove()
    assert known() == ()
    fill(state)
    after = state.authority()
    assert before
    assert after
    assert before.fingerprint != after.fingerprint


def test_a_killed_removal_still_knows_whose_it_is(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity goes last, so destroy can be run again by name."""
    fill(state)
    unlink = Path.unlink

    def dying(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "federation.json":
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", dying)
    with pytest.raises(KeyboardInterrupt):
        state.remove()
    assert [file.name for file in state.path.iterdir()] == ["federation.json"]
    assert known() == ("mesh",)


def test_nothing_secret_is_shown(state: State) -> None:
    """Not by the secrets' repr, nor by the errors of files that hold them."""
    fill(state)
    held = json.loads((state.path / "secrets.json").read_text())
    secrets = [held["gossip"], *held["tokens"].values()]
    assert not any(secret in repr(state.secrets()) + repr(vars(state)) for secret in secrets)
    canary = secrets[1][:-1]
    for damaged in (
        json.dumps(held)[:-1],
        json.dumps(held | {"tokens": held["tokens"] | {"agent": canary + ":"}}),
        json.dumps(held | {"gossip": canary}),
    ):
        (state.path / "secrets.json").write_text(damaged)
        with pytest.raises(MeshkitError) as caught:
            state.secrets()
        assert canary not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MESHKIT_STATE_DIR": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/meshkit"),
        ({"HOME": "/c"}, "/c/.local/state/meshkit"),
    ],
    ids=["meshkit's own variable wins", "then XDG's", "then the home folder"],
)
def test_where_state_is_kept(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    """As certs/README.md says."""
    for name in ("MESHKIT_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert root() == Path(expected)
