"""The lock: one run at a time, over what the user was shown."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation, described
from meshkit.errors import MeshkitError
from meshkit.federation import lock


def test_as_shown(mesh: FakeFederation) -> None:
    """The work is done, and nobody else is in meanwhile."""
    with (
        lock.held(mesh.state, mesh.state.identity()),
        pytest.raises(MeshkitError, match="another meshkit works on federation mesh"),
        mesh.state.locked(),
    ):
        pass


@pytest.mark.parametrize("change", ["grown", "gone"])
def test_changed_meanwhile(mesh: FakeFederation, change: str) -> None:
    """What another run has made of the federation since is not overwritten."""
    shown = mesh.state.identity()
    if change == "grown":
        mesh.state.save_identity(described(("aks", "eks", "gke")))
    else:
        mesh.state.remove()
    before = mesh.state.identity()
    with (
        pytest.raises(MeshkitError, match="the federation changed meanwhile") as raised,
        lock.held(mesh.state, shown),
    ):
        mesh.state.remove()
    assert raised.value.hint == "run again"
    assert mesh.state.identity() == before
