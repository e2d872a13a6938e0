"""The clusters that integration tests share: real ones, in the lab, under names of their own.

``test-aks`` and ``test-eks`` are never a user's clusters, so a run beside somebody's lab leaves that alone; with
several workers each has its own, ``test0-aks`` and so on. They are started once per worker and removed at its end;
what a killed run leaves is removed by the next, since the state of a federation in it is gone.
Nothing here skips: where the lab can't run, its error says why, and the tests fail.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from clusters import PAIR, THIRD, WAN, Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two running clusters, 35 ms apart one way."""
    folder = tmp_path_factory.mktemp("lab")
    made = Lab(PAIR, folder / "kubeconfig", folder / "state")
    for name in (*PAIR, THIRD):
        made.meshkit("lab", "down", name, check=False)
    made.meshkit("lab", "up", *PAIR, *WAN)
    yield made
    made.meshkit("lab", "down", *PAIR)


@pytest.fixture(scope="session")
def third(lab: Lab) -> Iterator[str]:
    """A third cluster for the tests that need one; its name."""
    lab.meshkit("lab", "up", THIRD, *WAN)
    yield THIRD
    lab.meshkit("lab", "down", THIRD, check=False)  # a test may have lost it


@pytest.fixture
def namespace(lab: Lab) -> Iterator[Callable[[str], str]]:
    """Makes a namespace of the test's own in a cluster, deleted afterwards in the background."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    used: list[str] = []

    def make(context: str) -> str:
        lab.kubectl(context, "create", "namespace", name)
        used.append(context)
        return name

    yield make
    for context in used:
        lab.kubectl(context, "delete", "namespace", name, "--wait=false")
