"""The agent's archive: complete, small enough for a ConfigMap, and the same bytes from the same sources."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from meshkit.errors import MeshkitError
from meshkit.probes import bundle

IMPORT_ALL = """
import builtins, importlib, pkgutil, os, sys
sys.path.insert(0, sys.argv[1])
os.environ |= {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
there = builtins.open
def bare(path, *arguments, **options):
    if str(path).startswith("/etc/"):
        raise FileNotFoundError(path)
    return there(path, *arguments, **options)
builtins.open = bare
import meshkit.probes
for found in pkgutil.walk_packages(meshkit.probes.__path__, "meshkit.probes."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
        print(found.name)
for name in ("scapy.layers.inet", "scapy.layers.inet6"):
    importlib.import_module(name)
outside = [m.__name__ for m in sys.modules.values() if "-packages" in (getattr(m, "__file__", None) or "")]
assert not outside, outside
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as a file."""
    path = tmp_path_factory.mktemp("agent") / "agent.zip"
    path.write_bytes(bundle.archive().content)
    return path


def isolated(*argv: str) -> subprocess.CompletedProcess[str]:
    """Python without site-packages, environment and the current folder: what the agent's image has."""
    command = [sys.executable, "-I", "-S", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.parametrize("way", ["serve", "run", "job"])
def test_each_way_to_run_it_explains_itself_without_any_package(agent: Path, way: str) -> None:
    done = isolated(str(agent), way, "--help")

    assert done.returncode == 0, done.stderr
    assert f"usage: agent {way}" in done.stdout


def test_every_module_imports_from_the_archive_alone(agent: Path) -> None:
    """Mechanisms with what they speak included: a module that a later one needs and no pattern has fails here.

    Nor does a slim image have the registries in /etc (services, ethertypes) that this machine has, or scapy's cache.
    """
    done = isolated("-c", IMPORT_ALL, str(agent))

    assert done.returncode == 0, done.stderr
    assert {"meshkit.probes.mechanisms.tcp", "meshkit.probes.agent.keeper"} <= set(done.stdout.split())


def test_a_request_is_answered_from_the_archive(agent: Path) -> None:
    """What ``pods/exec`` runs: a bad line on stdin is one line of JSON, not a traceback."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(agent), "run"], input="{}\n", capture_output=True, text=True, check=False
    )

    assert '"error"' in done.stdout
    assert "Traceback" not in done.stderr


def test_it_fits_into_a_configmap() -> None:
    assert len(bundle.archive().content) < bundle.LARGEST_BYTES


def test_the_same_sources_make_the_same_bytes() -> None:
    """Neither times nor the order of a folder's files show; the digest names the ConfigMap."""
    first = bundle.archive()
    bundle.archive.cache_clear()

    assert bundle.archive() == first
    with zipfile.ZipFile(io.BytesIO(first.content)) as file:
        names = file.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in file.infolist()} == {bundle.EPOCH}


def test_the_digest_is_of_what_is_packed_not_of_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines whose zlib differ must not replace each other's agents."""
    first = bundle.archive()
    bundle.archive.cache_clear()
    monkeypatch.setattr(zipfile, "ZIP_DEFLATED", zipfile.ZIP_STORED)
    stored = bundle.archive()
    bundle.archive.cache_clear()
    assert stored.content != first.content
    assert stored.digest == first.digest


def test_nothing_of_meshkit_but_probes_and_errors_goes_along() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.archive().content)) as file:
        ours = [name for name in file.namelist() if name.startswith("meshkit/")]

    outside = [name for name in ours if not name.startswith("meshkit/probes/")]
    assert outside == ["meshkit/__init__.py", "meshkit/errors.py"]


def test_a_part_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bundle.PACKAGES, "no_such_package", ("*.py",))
    bundle.archive.cache_clear()
    try:
        with pytest.raises(MeshkitError, match="the Python package no_such_package is not installed"):
            bundle.archive()
    finally:
        bundle.archive.cache_clear()


def test_it_runs_as_an_archive_that_python_is_given(agent: Path) -> None:
    """No way to run is told in one line with exit code 2, as argparse does."""
    done = isolated(str(agent))

    assert done.returncode == 2
    assert "required: way" in done.stderr
