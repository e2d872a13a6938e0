"""One federation that tests share; whatever breaks it puts it right again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Lab
from federation.mesh import Mesh


@pytest.fixture(scope="module")
def federated(lab: Lab) -> Mesh:
    """Both clusters as one healthy federation."""
    mesh = Mesh(lab)
    mesh.federate()
    return mesh


@pytest.fixture
def mended(federated: Mesh) -> Iterator[Mesh]:
    """The same for a test that breaks it: afterwards another run must bring it back, with the same CA and keys."""
    before = federated.identity()
    yield federated
    federated.federate()
    assert federated.identity() == before


@pytest.fixture
def segmented(federated: Mesh) -> Iterator[Mesh]:
    """The same with no intention between the probes, before and after."""
    _forget_intentions(federated)
    yield federated
    _forget_intentions(federated)


@pytest.fixture
def stranger(federated: Mesh, tmp_path: Path) -> Mesh:
    """The same clusters from a machine that knows nothing of the federation."""
    return federated.elsewhere(tmp_path / "state")


@pytest.fixture
def no_object_left(lab: Lab) -> Iterator[list[tuple[str, ...]]]:
    """A list of (context, kubectl delete's arguments); each is deleted after the test, in reverse order."""
    made: list[tuple[str, ...]] = []
    yield made
    for context, *arguments in reversed(made):
        lab.kubectl(context, "delete", *arguments, "--ignore-not-found", "--wait=false")


def _forget_intentions(mesh: Mesh) -> None:
    for source, destination, _ in mesh.intentions():
        if (source, destination) != ("*", "*"):
            mesh.meshkit("intentions", "--remove", source, destination)
