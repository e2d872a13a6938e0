"""The fake cluster keeps what ``base.Kube`` promises."""

from __future__ import annotations

import pytest

from contracts.kube import KubeContract
from fakes.kube import FakeCluster


class TestFakeCluster(KubeContract):
    """In memory."""

    @pytest.fixture
    def kube(self, namespace: str) -> FakeCluster:
        cluster = FakeCluster()
        cluster.put({"kind": "Namespace", "metadata": {"name": namespace}})
        return cluster

    @pytest.fixture
    def namespace(self) -> str:
        return "contract"
