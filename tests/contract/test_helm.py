"""The fake Helm keeps what ``base.Helm`` promises."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.helm import HelmContract, Probe
from fakes.helm import FakeHelm
from fakes.kube import FakeCluster
from meshkit.federation import charts


class TestFakeHelm(HelmContract):
    """In memory."""

    @pytest.fixture
    def namespace(self) -> str:
        return "contract"

    @pytest.fixture
    def helm(self, namespace: str) -> FakeHelm:
        cluster = FakeCluster()
        cluster.put({"kind": "Namespace", "metadata": {"name": namespace}})
        return FakeHelm(cluster)

    @pytest.fixture
    def probe(self) -> Probe:
        return charts.probe(), {"service": "mesh-probe-aks", "datacenter": "aks"}

    @pytest.fixture
    def leave(self, helm: FakeHelm) -> Any:
        """Puts a release into a status."""
        return helm.leave
