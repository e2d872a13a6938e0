"""The user's kubeconfig: the lab's entries come and go, everything else stays what it was."""

from __future__ import annotations

import copy
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshkitError, UsageError
from meshkit.lab import kubeconfig

Document = dict[str, Any]


def entries(name: str, server: str = "https://10.99.1.1:6443") -> Document:
    """A whole kubeconfig of one cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": "canary"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def foreign(name: str) -> Document:
    """The user's own, elsewhere, with what a careless rewrite would change."""
    document = entries(name, "https://prod.example")
    document["preferences"] = {"colors": True}
    document["users"][0]["user"] = {
        "exec": {"command": "login", "args": ["--no", "on", "012", "1e3"], "env": None},
        "auth-provider": {"config": {"expiry": "2030-01-01T00:00:00Z", "id": "0x10"}},
    }
    document["contexts"][0]["context"]["namespace"] = "shop"
    document["extensions"] = [{"name": "note", "extension": {"text": "grüße\nzwei Zeilen"}}]
    return document


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that KUBECONFIG names; it does not exist yet."""
    file = tmp_path / "home" / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


def read(path: Path) -> Document:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


class TestChoice:
    """Which file is read and written."""

    def test_without_a_variable_it_is_the_one_in_the_home_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty KUBECONFIG counts as none."""
        monkeypatch.setenv("HOME", "/home/u")
        monkeypatch.setenv("KUBECONFIG", "")
        assert kubeconfig.files() == (Path("/home/u/.kube/config"),)

    @pytest.mark.parametrize(
        ("existing", "chosen"),
        [
            pytest.param(("a", "b"), "a", id="the first of two that exist"),
            pytest.param(("b",), "b", id="the first that exists"),
            pytest.param((), "c", id="the last when none exists"),
        ],
    )
    def test_new_entries_go_where_kubectl_would_put_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: tuple[str, ...], chosen: str
    ) -> None:
        """Empty parts of the list are passed over."""
        for name in existing:
            (tmp_path / name).touch()
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", *(str(tmp_path / name) for name in "abc"), ""]))
        assert kubeconfig.default_file() == tmp_path / chosen


class TestMerge:
    """Entries come in."""

    def test_a_new_file_is_private_and_its_context_current(self, path: Path) -> None:
        """Folder included; it holds keys."""
        kubeconfig.merge(path, entries("aks"))
        assert read(path)["current-context"] == "aks"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(p.name for p in path.parent.iterdir()) == ["config"]

    def test_the_users_current_context_stays(self, path: Path) -> None:
        """``lab up`` must not turn the next kubectl to another cluster."""
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(foreign("prod")))
        kubeconfig.merge(path, entries("aks"))
        assert read(path)["current-context"] == "prod"

    def test_again_replaces_and_does_not_add(self, path: Path) -> None:
        """The second run's certificates count."""
        kubeconfig.merge(path, entries("aks", "https://10.99.1.1:6443"))
        kubeconfig.merge(path, entries("aks", "https://10.99.9.1:6443"))
        document = read(path)
        assert [c["cluster"]["server"] for c in document["clusters"]] == ["https://10.99.9.1:6443"]
        assert len(document["users"]) == len(document["contexts"]) == 1

    def test_a_symbolic_link_stays_one(self, path: Path, tmp_path: Path) -> None:
        """The file it names is what changes."""
        target = tmp_path / "dotfiles"
        target.write_text(yaml.safe_dump(foreign("prod")))
        path.parent.mkdir()
        path.symlink_to(target)
        kubeconfig.merge(path, entries("aks"))
        assert path.is_symlink()
        assert {c["name"] for c in read(target)["contexts"]} == {"prod", "aks"}


NAMES = st.text("abcdefghij-", min_size=1, max_size=8).filter(lambda name: name != "lab")


@given(st.lists(NAMES, unique=True, max_size=4))
def test_merge_and_remove_leave_every_other_entry_alone(names: list[str]) -> None:
    """Whatever the user has: the file means the same afterwards, scalars that look like others included."""
    before = foreign("unused") | {"clusters": [], "users": [], "contexts": [], "current-context": ""}
    for name in names:
        own = foreign(name)
        for section in kubeconfig.SECTIONS:
            before[section] += own[section]
    before["current-context"] = names[0] if names else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config")
        path.write_text(yaml.safe_dump(before))
        kubeconfig.merge(path, entries("lab"))
        assert "lab" in {c["name"] for c in read(path)["contexts"]}
        kubeconfig.remove(path, "lab")
        after = read(path)
    assert after | {"current-context": before["current-context"]} == before
    assert after["current-context"] == before["current-context"]


def test_dates_written_without_quotes_stay_text(path: Path) -> None:
    """An unquoted time would come back in Python's form, which Go does not read."""
    path.parent.mkdir()
    path.write_text("users:\n- name: u\n  user:\n    expiry: 2030-01-01T00:00:00Z\n")
    kubeconfig.merge(path, entries("aks"))
    assert read(path)["users"][0]["user"]["expiry"] == "2030-01-01T00:00:00Z"


class TestRemove:
    """Entries go."""

    def test_only_the_labs_own_go(self, path: Path) -> None:
        """A context of the same name that points elsewhere is the user's."""
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(foreign("aks")))
        kubeconfig.remove(path, "aks")
        assert read(path) == foreign("aks")

    def test_the_current_context_is_unset_with_its_entry(self, path: Path) -> None:
        """Nothing points at what is gone."""
        kubeconfig.merge(path, entries("aks"))
        kubeconfig.remove(path, "aks")
        assert read(path)["current-context"] == ""

    def test_no_file_is_made_where_there_was_none(self, path: Path) -> None:
        """And none is asked for."""
        kubeconfig.remove(path, "aks")
        assert not path.exists()

    def test_what_a_killed_run_was_writing_goes_too(self, path: Path) -> None:
        """It holds keys."""
        kubeconfig.merge(path, entries("aks"))
        partial = path.with_name("config.meshkit")
        partial.write_text("half")
        kubeconfig.remove(path, "other")
        assert not partial.exists()


class TestForeign:
    """Names that the user has already."""

    @pytest.mark.parametrize("section", kubeconfig.SECTIONS)
    def test_a_name_taken_in_any_section_is_refused(self, path: Path, section: str) -> None:
        """Merging would overwrite it."""
        document = copy.deepcopy(foreign("prod"))
        document[section][0]["name"] = "aks"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(document))
        with pytest.raises(UsageError, match="'aks' that is not the lab's"):
            kubeconfig.refuse_foreign("aks")
        kubeconfig.refuse_foreign("eks")

    def test_the_labs_own_is_not_foreign(self, path: Path) -> None:
        """``up`` may be run again."""
        kubeconfig.merge(path, entries("aks"))
        kubeconfig.refuse_foreign("aks")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not YAML"),
        pytest.param("- a\n", id="a list"),
        pytest.param("clusters: 1\n", id="a number for clusters"),
        pytest.param("contexts: [aks]\n", id="entries without names"),
        pytest.param("\x00", id="a zero byte"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_and_kept(path: Path, text: str) -> None:
    """By its name, before anything is written."""
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match=str(path)):
        kubeconfig.merge(path, entries("aks"))
    assert path.read_text() == text
    assert not path.with_name("config.lock").is_symlink()


class TestLock:
    """client-go's lock file."""

    def test_one_left_by_a_killed_meshkit_is_taken_over(self, path: Path) -> None:
        """Its maker is gone; no user should have to delete it."""
        path.parent.mkdir()
        path.with_name("config.lock").symlink_to("meshkit-4194305")  # over the largest process number
        kubeconfig.merge(path, entries("aks"))
        assert not path.with_name("config.lock").is_symlink()

    def test_another_programs_is_respected(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error names it, and it stays."""
        monkeypatch.setattr(kubeconfig, "LOCK_TIMEOUT_S", 0)
        path.parent.mkdir()
        lock = path.with_name("config.lock")
        lock.touch()
        with pytest.raises(MeshkitError, match="locked by"):
            kubeconfig.merge(path, entries("aks"))
        assert lock.exists()
        assert not path.exists()


def test_clusters_removed_side_by_side(path: Path) -> None:
    """``down`` removes all clusters at once: none trips over what another is writing."""
    names = [f"c{number}" for number in range(24)]
    for name in names:
        kubeconfig.merge(path, entries(name))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: kubeconfig.remove(path, name), names))
    assert read(path)["contexts"] == []
