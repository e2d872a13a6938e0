"""Which federation a command is about: the state of another one of the same name is never taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.federation import runner


def test_destroying_a_namesake_leaves_this_machine_s_own_alone(
    world: FakeFederation, meshkit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every federation is called mesh until told otherwise: its id decides, not its name."""
    runner.run(world.context())
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "mine"))
    mine = FakeFederation(("gcp", "azure"))
    runner.run(mine.context())
    kept = {file.name: file.read_bytes() for file in mine.state.path.iterdir() if file.name != "lock"}
    done = meshkit("destroy", "aks", "eks", "--yes")
    assert done.code == 0, done.err
    assert not [item for item in world.clusters["aks"].everything() if "meshkit" in item]
    assert {file.name: file.read_bytes() for file in mine.state.path.iterdir() if file.name != "lock"} == kept
