"""Whatever stands between meshkit and an API server gets one sentence that names the cluster, and one hint."""

from __future__ import annotations

import datetime as dt
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fakes.servers import CertificateFiles, api_server, kubeconfig, raw_server, status
from meshkit.backends import kube as kube_module
from meshkit.backends.base import Permission, Ref
from meshkit.backends.kube import KubeClient
from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError, UnreachableError, UsageError

SECRET = "canary-of-a-token"
VERSION = {"/version": (200, '{"gitVersion": "v1.34.4"}')}
PAST = dt.timedelta(days=-1)
MAPS = "/api/v1/namespaces/consul/configmaps/one"
REF = Ref("ConfigMap", "one", "consul")


@pytest.fixture
def authority(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path)


def client(tmp_path: Path, server: str, authority: CertificateFiles, **user: Any) -> KubeClient:
    user = user or {"token": SECRET}
    return KubeClient("aks", kubeconfig(tmp_path / "kubeconfig", server, authority.certificate, **user))


def failure(kube: KubeClient) -> MeshkitError:
    """The error of the simplest call, which must name the cluster, give a hint and keep the token to itself."""
    with pytest.raises(MeshkitError) as caught:
        kube.version()
    error = caught.value
    assert error.message.startswith("aks: ")
    assert error.hint
    assert SECRET not in f"{error.message}{error.hint}{error.detail}"
    return error


def test_answers(tmp_path: Path, authority: CertificateFiles) -> None:
    """A healthy server is heard."""
    with api_server(authority.issue("server"), VERSION) as url:
        assert client(tmp_path, url, authority).version() == "v1.34.4"


def test_expired_server_certificate(tmp_path: Path, authority: CertificateFiles) -> None:
    """An expired certificate is told apart from one that is not trusted."""
    with api_server(authority.issue("server", ends_in=PAST), VERSION) as url:
        error = failure(client(tmp_path, url, authority))
    assert isinstance(error, UnreachableError)
    assert "has expired" in error.message


def test_untrusted_server_certificate(tmp_path: Path, authority: CertificateFiles) -> None:
    """A certificate of another CA is not accepted."""
    (tmp_path / "other").mkdir()
    other = CertificateFiles(tmp_path / "other", "other")
    with api_server(other.issue("server"), VERSION) as url:
        assert "not signed by the kubeconfig's CA" in failure(client(tmp_path, url, authority)).message


def test_certificate_for_another_name(tmp_path: Path, authority: CertificateFiles) -> None:
    """A certificate of the right CA for another address is named as that."""
    with api_server(authority.issue("server", address="192.0.2.1"), VERSION) as url:
        assert "for another name" in failure(client(tmp_path, url, authority)).message


def test_refused_client_certificate(tmp_path: Path, authority: CertificateFiles) -> None:
    """A server that turns the client's certificate down in the handshake."""
    (tmp_path / "other").mkdir()
    certificate, key = CertificateFiles(tmp_path / "other", "other").issue("client")
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    with api_server(authority.issue("server"), VERSION, client_ca=authority.certificate) as url:
        assert "client certificate" in failure(client(tmp_path, url, authority, **user)).message


def test_expired_client_certificate(tmp_path: Path, authority: CertificateFiles) -> None:
    """API servers answer 401 to an expired client certificate; the date is what the user needs."""
    certificate, key = authority.issue("client", ends_in=PAST)
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    with api_server(authority.issue("server"), {"/version": status(401, "Unauthorized")}) as url:
        error = failure(client(tmp_path, url, authority, **user))
    assert isinstance(error, ForbiddenError)
    assert "the client certificate ended on" in error.message


@pytest.mark.parametrize(
    ("refusals", "well"), [pytest.param(3, True, id="for a moment"), pytest.param(99, False, id="for ever")]
)
def test_come_again(
    tmp_path: Path,
    authority: CertificateFiles,
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    well: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """One that says to come again, as for a kind that it has just learned of, is asked again, but not for ever."""
    monkeypatch.setattr(kube_module, "BUSY_S", 0.0)
    busy = [status(429, "storage is (re)initializing")] * refusals

    class Answers(dict[str, tuple[int, str]]):
        def get(self, *key: Any) -> Any:
            return busy.pop() if busy else super().get(*key)

    with api_server(authority.issue("server"), Answers(VERSION)) as url:
        kube = client(tmp_path, url, authority)
        if well:
            assert kube.version().startswith("v1.")
        else:
            assert isinstance(failure(kube), UnreachableError)
    assert len(busy) == (0 if well else refusals - 1 - kube_module.BUSY_TRIES)


def test_nothing_listens(tmp_path: Path, authority: CertificateFiles) -> None:
    """A refused connection is an API server that is down."""
    with raw_server(b"x") as url:
        pass
    error = failure(client(tmp_path, url, authority))
    assert isinstance(error, UnreachableError)
    assert "cannot be reached" in error.message


def test_silent_server(tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing is left after the deadline."""
    monkeypatch.setattr(kube_module, "TIMEOUT", urllib3.Timeout(connect=0.05, read=0.05))
    with raw_server(b"") as url:
        error = failure(client(tmp_path, url, authority))
    assert isinstance(error, UnreachableError)
    assert "did not answer within 0.05 s" in error.message


def test_server_that_goes_silent(tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs only after the handshake has the time of an answer, and that is told."""
    monkeypatch.setattr(kube_module, "TIMEOUT", urllib3.Timeout(connect=5.0, read=0.05))
    released = threading.Event()

    def knows(_: str) -> bool:
        return released.wait(5)

    with api_server(authority.issue("server"), VERSION, knows=knows) as url:
        error = failure(client(tmp_path, url, authority))
        released.set()
    assert "did not answer within 0.05 s" in error.message


def test_no_tls(tmp_path: Path, authority: CertificateFiles) -> None:
    """Something else on the port."""
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        error = failure(client(tmp_path, url, authority))
    assert isinstance(error, UnreachableError)
    assert "TLS" in error.message


def test_unresolvable_name(tmp_path: Path, authority: CertificateFiles) -> None:
    """A cluster whose name is gone from DNS."""
    error = failure(client(tmp_path, "https://cluster.invalid:6443", authority))
    assert isinstance(error, UnreachableError)
    assert "cannot be resolved" in error.message


@pytest.mark.parametrize("body", ["<html>log in</html>", "[]", "", '"text"'])
def test_not_an_api_server(tmp_path: Path, authority: CertificateFiles, body: str) -> None:
    """A login page, or JSON of another shape, is no API server."""
    with api_server(authority.issue("server"), {"/version": (200, body)}) as url:
        assert "not a Kubernetes API server" in failure(client(tmp_path, url, authority)).message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(status(401, "Unauthorized"), ForbiddenError, id="credentials that are not accepted"),
        pytest.param(status(403, "cannot get"), ForbiddenError, id="a missing permission"),
        pytest.param(status(409, "modified"), ConflictError, id="an outdated version"),
        pytest.param(status(429, "too many requests"), UnreachableError, id="an overloaded server"),
        pytest.param(status(500, "etcdserver: request timed out"), UnreachableError, id="a server without its etcd"),
        pytest.param((503, "no healthy upstream"), UnreachableError, id="a load balancer without a server"),
        pytest.param(status(500, "boom"), MeshkitError, id="an internal error"),
    ],
)
def test_status(tmp_path: Path, authority: CertificateFiles, answer: tuple[int, str], kind: type[MeshkitError]) -> None:
    """Every error status becomes one of the few kinds that callers tell apart."""
    with api_server(authority.issue("server"), {MAPS: answer}) as url:
        kube = client(tmp_path, url, authority)
        with pytest.raises(MeshkitError) as caught:
            kube.get(REF)
    assert type(caught.value) is kind


def test_missing_object(tmp_path: Path, authority: CertificateFiles) -> None:
    """404 is an ordinary observation of get and delete, and an error of patch."""
    with api_server(authority.issue("server"), {}) as url:
        kube = client(tmp_path, url, authority)
        assert kube.get(REF) is None
        assert kube.delete(REF) is False
        with pytest.raises(NotFoundError):
            kube.patch(REF, {})


def test_namespace_in_deletion(tmp_path: Path, authority: CertificateFiles) -> None:
    """The API server calls it forbidden, but no permission would help."""
    answer = status(403, "unable to create", details={"causes": [{"reason": "NamespaceTerminating"}]})
    with api_server(authority.issue("server"), {MAPS: answer}) as url:
        kube = client(tmp_path, url, authority)
        with pytest.raises(MeshkitError, match="being deleted") as caught:
            kube.apply({"kind": "ConfigMap", "metadata": {"name": "one", "namespace": "consul"}})
    assert not isinstance(caught.value, ForbiddenError)


def test_denied_permission(tmp_path: Path, authority: CertificateFiles) -> None:
    """The review's answer is passed on."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    with api_server(authority.issue("server"), {path: (201, '{"status": {"allowed": false}}')}) as url:
        assert client(tmp_path, url, authority).can(Permission("get", "secrets")) is False


def test_pod_answers_404(tmp_path: Path, authority: CertificateFiles) -> None:
    """A pod's own 404 is its answer; the API server's is that there is no such pod."""
    proxy = "/api/v1/namespaces/consul/pods/{}:80/proxy/"
    answers = {proxy.format("here"): (404, "no such page")}
    answers[proxy.format("gone")] = (404, '{"kind":"Status","message":"pods \\"gone\\" not found"}')
    with api_server(authority.issue("server"), answers) as url:
        kube = client(tmp_path, url, authority)
        assert kube.pod_get("here", "consul", 80) == (404, "no such page")
        with pytest.raises(NotFoundError, match="gone"):
            kube.pod_get("gone", "consul", 80)


LOG = "/api/v1/namespaces/consul/pods/one/log"


def test_of_a_long_log_the_newest_lines_are_kept_and_the_rest_is_never_held(
    tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines: half of one could begin within a token, which nobody would know again."""
    monkeypatch.setattr(kube_module, "HISTORY_BYTES", 105_000)
    lines = [f"{n:04d} {'x' * 9_994}\n" for n in range(2_000)]
    with api_server(authority.issue("server"), {LOG: (200, "".join(lines))}) as url:
        kube = client(tmp_path, url, authority)
        kube.history("gone", "consul", "main", 60.0)  # the first request imports what the others use
        tracemalloc.start()
        try:
            found = kube.history("one", "consul", "main", 60.0)
            most_held = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found == "".join(lines[-10:])
    assert most_held < 1.5 * 20_000_000  # the server's own copy of the whole is in it


@pytest.mark.parametrize("text", ["", "one line\n", "no end", "1\n2\n3\n"])
def test_a_short_log_is_kept_as_it_is(tmp_path: Path, authority: CertificateFiles, text: str) -> None:
    with api_server(authority.issue("server"), {LOG: (200, text)}) as url:
        assert client(tmp_path, url, authority).history("one", "consul", "main", 60.0) == text


def test_a_log_that_breaks_off_is_an_error(tmp_path: Path, authority: CertificateFiles) -> None:
    """What came of it is not taken for all."""
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") as url:
        kube = client(tmp_path, url.replace("https", "http"), authority)
        with pytest.raises(UnreachableError, match=r"aks: what answers at .* broke the connection"):
            kube.history("one", "consul", "main", 60.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "no usable kubeconfig", id="an empty file"),
        pytest.param("contexts: [", "not YAML", id="a file that is not YAML"),
        pytest.param("just text", "malformed", id="a file that is no mapping"),
        pytest.param("contexts: [{name: eks, context: {}}]\n", "'aks' is not in the kubeconfig", id="another context"),
        pytest.param(
            "contexts: [{name: aks, context: {cluster: c}}]\nclusters: []\n", "not usable", id="a missing cluster"
        ),
        pytest.param("contexts: [{name: aks, context: 5}]\nclusters: []\n", "malformed", id="a mistyped context"),
    ],
)
def test_bad_kubeconfig(tmp_path: Path, content: str, says: str) -> None:
    """A kubeconfig that can't be used is a usage error that says what is wrong with it."""
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(UsageError, match=says) as caught:
        KubeClient("aks", str(path))
    assert caught.value.hint


def test_missing_kubeconfig(tmp_path: Path) -> None:
    """No file at all is said as such."""
    with pytest.raises(UsageError, match="no usable kubeconfig"):
        KubeClient("aks", str(tmp_path / "missing"))
