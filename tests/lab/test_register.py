"""The list of clusters: stable indexes, the lowest free one first, nothing left when it is empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit.errors import UsageError
from meshkit.lab import register
from meshkit.lab.topology import MAX_NODES, Node


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A lab folder of the test's own."""
    monkeypatch.setenv("MESHKIT_LAB_DIR", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_no_file_is_an_empty_lab() -> None:
    """As on a new machine."""
    assert register.known() == ()


def test_indexes_stay_and_free_ones_are_used_again() -> None:
    """When aks goes and gcp comes, eks keeps its index, and so its address."""
    assert register.allocate(["aks", "eks"]) == (Node("aks", 1), Node("eks", 2))
    assert register.allocate(["eks", "aks"]) == (Node("eks", 2), Node("aks", 1))
    register.save([Node("eks", 2)])
    assert register.allocate(["gcp"]) == (Node("gcp", 1),)
    assert set(register.known()) == {Node("eks", 2), Node("gcp", 1)}


def test_a_full_lab_is_refused_and_stays_as_it_was() -> None:
    """The fault is the caller's, and nothing was noted."""
    register.allocate([f"n{i}" for i in range(MAX_NODES)])
    before = register.known()
    with pytest.raises(UsageError, match="the lab is full"):
        register.allocate(["one-more"])
    assert register.known() == before


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    """And with the command that would start it."""
    register.allocate(["aks", "eks"])
    with pytest.raises(UsageError, match="no lab cluster 'gcp'") as raised:
        register.find("gcp")
    assert "aks, eks" in raised.value.hint
    assert "meshkit lab up gcp" in raised.value.hint


def test_an_empty_lab_leaves_no_file(folder: Path) -> None:
    """``down`` of the last cluster removes the list too."""
    register.allocate(["aks"])
    register.save([])
    assert list(folder.iterdir()) == []
