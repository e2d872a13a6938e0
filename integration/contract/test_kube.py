"""A real API server keeps what ``base.Kube`` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http.client import HTTPConnection, HTTPResponse

import pytest
from clusters import Lab

from contracts.kube import KubeContract
from meshkit.backends.base import Ref
from meshkit.backends.kube import KubeClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError

pytestmark = pytest.mark.lab


@pytest.fixture
def kube(lab: Lab) -> KubeClient:
    return KubeClient(lab.names[0], str(lab.kubeconfig))


class TestKubeClient(KubeContract):
    """Against the lab."""

    @pytest.fixture
    def namespace(self, lab: Lab, namespace: Callable[[str], str]) -> str:
        return namespace(lab.names[0])


def dns_pod(kube: KubeClient) -> str:
    """The one pod that every cluster of the lab runs; it answers HTTP on 8080."""
    return str(kube.list("Pod", "kube-system", selector="k8s-app=kube-dns")[0]["metadata"]["name"])


def test_forward(kube: KubeClient) -> None:
    """Several connections, one after the other and at once, reach the pod through one forward."""
    with kube.forward(dns_pod(kube), "kube-system", 8080) as port:
        connections = [HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(4)]
        for connection in connections:
            connection.request("GET", "/health")
        answers = [connection.getresponse() for connection in connections]
        assert [(answer.status, answer.read()) for answer in answers] == [(200, b"OK")] * 4
        for connection in connections:
            connection.close()


def test_forward_to_a_closed_port(kube: KubeClient) -> None:
    """Nothing listens there: the connection ends, and nothing is left hanging."""
    with kube.forward(dns_pod(kube), "kube-system", 9999) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.connect()
        with pytest.raises(OSError, match=r"closed|reset|Broken pipe"):
            _answer(connection)
        connection.close()


def _answer(connection: HTTPConnection) -> HTTPResponse:
    connection.request("GET", "/")
    return connection.getresponse()


def test_loopback(kube: KubeClient) -> None:
    """Pages from a port of the pod over one connection, the first answer to what is sent, an end where none listens."""
    pod, request = dns_pod(kube), b"GET /health HTTP/1.1\r\nHost: dns\r\n\r\n"

    assert kube.loopback_get(pod, "kube-system", 8080, ("/health", "/health")) == ["OK", "OK"]
    assert kube.loopback_send(pod, "kube-system", 8080, request, 10.0).data.startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(UnreachableError, match="port 9999 does not answer"):
        kube.loopback_get(pod, "kube-system", 9999, ("/health",))
    reply = kube.loopback_send(pod, "kube-system", 9999, request, 10.0)
    assert (reply.data, reply.ended) == (b"", True)


def test_pod_get(kube: KubeClient) -> None:
    """A pod's own answer comes through with its status; a port on which nothing listens is a 503."""
    assert kube.pod_get(dns_pod(kube), "kube-system", 8080, "/health") == (200, "OK")
    assert kube.pod_get(dns_pod(kube), "kube-system", 9999)[0] == 503


def test_logs(kube: KubeClient) -> None:
    """The last lines of a running container, as many as were asked for."""
    pod = kube.get(Ref("Pod", dns_pod(kube), "kube-system"))
    assert pod is not None
    container = pod["spec"]["containers"][0]["name"]
    assert len(kube.logs(pod["metadata"]["name"], "kube-system", container, lines=1).splitlines()) == 1
    lines = kube.history(pod["metadata"]["name"], "kube-system", container, 86_400.0).splitlines()
    assert lines
    assert all(datetime.fromisoformat(line.partition(" ")[0]).year > 2000 for line in lines)
    assert kube.history(pod["metadata"]["name"], "kube-system", container, 86_400.0, previous=True) == ""


def test_terminating_namespace(kube: KubeClient, lab: Lab, namespace: Callable[[str], str]) -> None:
    """Nothing new can be made in a namespace in deletion; that is not a lack of permission."""
    name = namespace(lab.names[0])
    held = {"name": "held", "namespace": name, "finalizers": ["meshkit.dev/contract"]}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    try:
        kube.delete(Ref("Namespace", name))
        with pytest.raises(MeshkitError, match="being deleted") as caught:
            kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "new", "namespace": name}})
        assert not isinstance(caught.value, ForbiddenError)
    finally:
        kube.patch(Ref("ConfigMap", "held", name), {"metadata": {"finalizers": None}})
