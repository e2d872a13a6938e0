"""The real Helm keeps what ``base.Helm`` promises."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from clusters import Lab

from contracts.helm import HelmContract, Probe
from meshkit.backends.base import Ref
from meshkit.backends.helm import HelmClient
from meshkit.backends.kube import KubeClient
from meshkit.federation import charts
from meshkit.lab import toolchain

pytestmark = pytest.mark.lab


class TestHelmClient(HelmContract):
    """Against the lab, with the helm that the lab has built."""

    @pytest.fixture
    def namespace(self, lab: Lab, namespace: Callable[[str], str]) -> str:
        return namespace(lab.names[0])

    @pytest.fixture
    def helm(self, lab: Lab) -> HelmClient:
        return HelmClient(lab.names[0], executable=str(toolchain.tool("helm")), kubeconfig=str(lab.kubeconfig))

    @pytest.fixture
    def probe(self) -> Probe:
        secret = {"secretName": "missing", "secretKey": "token"}
        ca = secret | {"secretKey": "tls.crt"}
        values = {"service": "mesh-probe-aks", "datacenter": "aks", "aclToken": secret, "caCert": ca}
        return charts.probe(), values | {"agent": {"enabled": False}}

    @pytest.fixture
    def leave(self, lab: Lab) -> Callable[[str, str, str], None]:
        """Rewrites the newest revision's status where Helm keeps it: a Secret, base64 twice, compressed JSON."""
        kube = KubeClient(lab.names[0], str(lab.kubeconfig))

        def write(name: str, namespace: str, status: str) -> None:
            found = kube.list("Secret", namespace, selector=f"owner=helm,name={name}")
            newest = max(found, key=lambda secret: int(secret["metadata"]["labels"]["version"]))
            release: dict[str, Any] = json.loads(
                gzip.decompress(base64.b64decode(base64.b64decode(newest["data"]["release"])))
            )
            release["info"]["status"] = status
            packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
            body = {"metadata": {"labels": {"status": status}}, "data": {"release": packed}}
            kube.patch(Ref("Secret", newest["metadata"]["name"], namespace), body)

        return write
