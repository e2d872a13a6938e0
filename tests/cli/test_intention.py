"""Intentions by contexts, on a machine that did not make the federation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.federation import runner

CONTEXTS = ("--context", "aks", "--context", "eks")


@pytest.fixture
def mesh(world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> FakeFederation:
    """A federation that works in namespace consul; its state directory is elsewhere."""
    runner.run(world.context())
    held = world.state.secrets()
    assert held
    monkeypatch.setattr(FakeFederation, "_bootstrap_token", lambda _: held.tokens["bootstrap"].reveal())
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(world.state.path / "elsewhere"))
    return world


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        pytest.param(("allow", "web", "api"), "web may talk to api", id="allow"),
        pytest.param(("deny", "web", "api"), "web may not talk to api", id="deny"),
        pytest.param(("intentions",), "deny", id="list"),
        pytest.param(("intentions", "--remove", "web", "api"), "there was no such intention", id="remove"),
    ],
)
def test_the_namespace_that_is_named_is_looked_in(
    meshkit: Callable[..., Any], arguments: tuple[str, ...], out: str
) -> None:
    """A federation is found in its own namespace and in no other; the hint names the option."""
    missed = meshkit(*arguments, *CONTEXTS, "--namespace", "shop")
    assert missed.code != 0
    assert "in no federation (namespace shop)" in missed.err
    assert "--namespace" in missed.err
    found = meshkit(*arguments, *CONTEXTS, "--namespace", "consul")
    assert found.code == 0, found.err
    assert out in found.out


@pytest.mark.usefixtures("world")
def test_a_wrong_name_is_said_before_a_cluster_is_asked(meshkit: Callable[..., Any]) -> None:
    """What can be judged without a cluster is judged first."""
    assert "'web api' is not a service name" in meshkit("allow", "web api", "db", "--context", "gone").err
