"""What all unit tests share: golden files, a state directory of their own, and Hypothesis without a clock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "MESHKIT_UPDATE_GOLDEN"

# A deadline would fail on a busy machine, and random examples on someone else's change.
settings.register_profile("meshkit", deadline=None, derandomize=True)
settings.load_profile("meshkit")


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a file of tests/golden; MESHKIT_UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get(UPDATE) == "1":
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{UPDATE}=1 pytest writes {path.name}"
        assert text == path.read_text(encoding="utf-8"), f"{UPDATE}=1 pytest updates {path.name} if this is meant"

    return compare


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the state or configuration directory of whoever runs it."""
    root = tmp_path / "state"
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(root))
    monkeypatch.setenv("MESHKIT_CONFIG_DIR", str(tmp_path / "config-dir"))
    return root
