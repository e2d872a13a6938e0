"""A wheel is enough: charts and certificate profiles are in it, and meshkit runs from there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder, built from this tree without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        pytest.param("charts", "_charts", id="charts"),
        pytest.param("certs", "_certs", id="certificate profiles"),
        pytest.param("meshkit/lab/tools", "lab/tools", id="pinned modules of the lab's tools"),
    ],
)
def test_data_is_in_the_wheel(installed: Path, source: str, place: str) -> None:
    """File by file as in the tree."""
    tracked = subprocess.run(
        ["git", "ls-files", source], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert tracked
    for name in tracked:
        found = installed / "meshkit" / place / Path(name).relative_to(source)
        assert found.read_bytes() == (ROOT / name).read_bytes(), name


def test_nothing_private_is_in_the_wheel(installed: Path) -> None:
    """No key, no token, no state: only what the repository tracks."""
    for path in (path for path in installed.rglob("*") if path.is_file()):
        assert path.suffix not in {".pem", ".key"}, path
        assert b"PRIVATE KEY-----\n" not in path.read_bytes(), path


def test_meshkit_finds_its_charts_and_profiles_in_the_wheel(installed: Path) -> None:
    """Run from the wheel's content alone, with the environment's dependencies."""
    code = (
        "import meshkit; from meshkit.federation import charts; from meshkit.pki import profiles; "
        "print(meshkit.__file__); print(charts.probe() / 'Chart.yaml'); print(profiles.load('ca').common_name); "
        "assert (charts.probe() / 'Chart.yaml').exists()"
    )
    # The current folder comes first on the path: the wheel's must be found there, not the source tree.
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    where, chart, _ = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert Path(chart).is_relative_to(installed)
