"""Credential plugins as real programs: what they give is used and renewed, what goes wrong is explained.

No error and no output of any kind shows what a plugin printed to stdout.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.servers import CertificateFiles, api_server, kubeconfig
from meshkit.backends import plugin
from meshkit.backends.kube import KubeClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError

V1 = "client.authentication.k8s.io/v1"
SECRET = "canary-of-a-token"
VERSION = {"/version": (200, '{"gitVersion": "v1.34.4"}')}
NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path)


class Program:
    """A plugin in a folder of its own on PATH; it notes each call, and answers the n-th one with the n-th body."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "aws") -> None:
        self.folder = tmp_path / "bin"
        self.folder.mkdir()
        self.name = name
        self._calls = tmp_path / "calls"
        monkeypatch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")

    def runs(self, script: str) -> None:
        path = self.folder / self.name
        path.write_text(f"#!/bin/sh\necho call >> {shlex.quote(str(self._calls))}\n{script}\n")
        path.chmod(0o700)

    def answers(self, *statuses: dict[str, str], version: str = V1) -> None:
        for place, status in enumerate(statuses, 1):
            body = {"apiVersion": version, "kind": "ExecCredential", "status": status}
            (self.folder / f"answer-{place}").write_text(json.dumps(body))
        calls, answer = shlex.quote(str(self._calls)), shlex.quote(str(self.folder / "answer"))
        self.runs(f"n=$(wc -l < {calls}); [ $n -gt {len(statuses)} ] && n={len(statuses)}; cat {answer}-$((n))")

    @property
    def calls(self) -> int:
        return len(self._calls.read_text().splitlines()) if self._calls.exists() else 0

    def user(self, **more: Any) -> dict[str, Any]:
        return {"exec": {"apiVersion": V1, "command": self.name, **more}}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(tmp_path, monkeypatch)


def client(tmp_path: Path, server: str, authority: CertificateFiles, user: dict[str, Any]) -> KubeClient:
    return KubeClient("aks", kubeconfig(tmp_path / "kubeconfig", server, authority.certificate, **user))


def failure(tmp_path: Path, authority: CertificateFiles, user: dict[str, Any]) -> MeshkitError:
    """The error of a login, which names the context, has a hint, and keeps what was printed to itself."""
    with pytest.raises(MeshkitError) as caught:
        client(tmp_path, NOWHERE, authority, user)
    error = caught.value
    assert error.message.startswith("aks: ")
    assert error.hint
    assert SECRET not in f"{error.message}{error.hint}{error.detail}{error.__cause__!r}{error.__context__!r}"
    return error


def moment(**offset: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**offset)).isoformat(timespec="microseconds")


def test_a_token_is_used_until_it_expires(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """The plugin is asked once for many requests."""
    program.answers({"token": SECRET, "expirationTimestamp": moment(minutes=14)})
    with api_server(authority.issue("server"), VERSION, knows=lambda who: who == f"Bearer {SECRET}") as url:
        kube = client(tmp_path, url, authority, program.user())
        assert {kube.version() for _ in range(5)} == {"v1.34.4"}
    assert program.calls == 1


def test_a_token_that_expires_is_renewed(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """During a long run the plugin is asked again before the server refuses the old token."""
    program.answers({"token": "one", "expirationTimestamp": moment(seconds=-1)}, {"token": "two"})
    asked: list[str] = []
    with api_server(authority.issue("server"), VERSION, knows=lambda who: not asked.append(who)) as url:
        kube = client(tmp_path, url, authority, program.user())
        assert kube.version() == kube.version() == "v1.34.4"
    assert asked == ["Bearer two", "Bearer two"]
    assert program.calls == 2


def test_a_token_that_is_refused_is_renewed_once(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """A revoked token, or one whose end was not told, costs one more request, and no error."""
    program.answers({"token": "one"}, {"token": "two"})
    with api_server(authority.issue("server"), VERSION, knows=lambda who: who == "Bearer two") as url:
        assert client(tmp_path, url, authority, program.user()).version() == "v1.34.4"
    assert program.calls == 2


def test_a_login_that_is_never_accepted(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """The plugin is asked a second time, not for ever."""
    program.answers({"token": SECRET})
    with api_server(authority.issue("server"), VERSION, knows=lambda _: False) as url:
        kube = client(tmp_path, url, authority, program.user())
        with pytest.raises(ForbiddenError, match="does not accept these credentials"):
            kube.version()
    assert program.calls == 2


def test_a_client_certificate_is_renewed(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """A plugin may give certificates; after the end of one, new connections are made with the next."""

    def status(name: str, **offset: float) -> dict[str, str]:
        certificate, key = authority.issue(name)
        held = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
        return held | {"expirationTimestamp": moment(**offset)}

    program.answers(status("one", minutes=10), status("two", minutes=10))
    seen: list[str] = []

    def knows(who: str) -> bool:
        seen.append(who)
        return who == "two" or len(seen) == 1

    with api_server(authority.issue("server"), VERSION, client_ca=authority.certificate, knows=knows) as url:
        kube = client(tmp_path, url, authority, program.user())
        assert kube.version() == kube.version() == "v1.34.4"
    assert seen == ["one", "one", "two"]
    assert program.calls == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("kubelogin", "az aks install-cli", id="AKS"),
        pytest.param("aws", "docs.aws.amazon.com/cli", id="EKS"),
        pytest.param("aws-iam-authenticator", "aws eks update-kubeconfig", id="EKS, the older way"),
        pytest.param("gke-gcloud-auth-plugin", "gcloud components install gke-gcloud-auth-plugin", id="GKE"),
        pytest.param("/opt/cloud/gke-gcloud-auth-plugin", "gcloud components install", id="by its path"),
        pytest.param("vault-login", "install vault-login and put it on PATH", id="any other"),
    ],
)
def test_a_missing_plugin(
    tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    """Which one, for which context, and how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure(tmp_path, authority, {"exec": {"apiVersion": V1, "command": name}})
    assert isinstance(error, UsageError)
    assert error.message == f"aks: the kubeconfig logs in with {name}, which is not installed or can't be run"
    assert hint in error.hint


def test_the_kubeconfigs_own_hint(tmp_path: Path, authority: CertificateFiles) -> None:
    """An unknown program's install hint is the kubeconfig's."""
    spec = {"apiVersion": V1, "command": "vault-login", "installHint": "see the wiki"}
    assert failure(tmp_path, authority, {"exec": spec}).hint == "see the wiki"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param(
            "echo 'session has expired' >&2; echo 'more' >&2; exit 255",
            "failed with exit code 255: session has expired",
            id="one that fails says why in its first line",
        ),
        pytest.param("exit 1", "failed with exit code 1", id="one that fails without a word"),
        pytest.param(
            "printf '\\n\\033[31mtoken eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl is old\\n' >&2; exit 1",
            "failed with exit code 1: ?[31mtoken ... is old",
            id="a token and an escape on stderr are not passed on",
        ),
        pytest.param(f"echo {SECRET}", "printed no credential that can be read", id="garbage"),
        pytest.param("true", "printed no credential that can be read", id="nothing"),
        pytest.param("echo '[]'", "printed no credential that can be read", id="JSON of another form"),
        pytest.param("echo '{\"status\": null}'", "printed no credential that can be read", id="no status"),
        pytest.param("head -c 300000 /dev/urandom", "printed no credential that can be read", id="bytes"),
    ],
)
def test_a_plugin_that_fails(
    tmp_path: Path, authority: CertificateFiles, program: Program, script: str, says: str
) -> None:
    """One sentence with the program's own words, and what to do."""
    program.runs(script)
    error = failure(tmp_path, authority, program.user())
    assert isinstance(error, ForbiddenError)
    assert error.message == f"aks: aws, with which the kubeconfig logs in, {says}"
    assert "aws sso login" in error.hint


def test_nothing_is_printed_past_an_error(
    tmp_path: Path, authority: CertificateFiles, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither by the plugin nor by the client."""
    program.runs("echo out; echo err >&2; exit 1")
    failure(tmp_path, authority, program.user())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param((V1, {}), "neither a token nor", id="neither token nor certificate"),
        pytest.param(
            (V1, {"clientCertificateData": SECRET}), "neither a token nor", id="a certificate without its key"
        ),
        pytest.param((f"{V1}beta1", {"token": SECRET}), "the kubeconfig says", id="another version of the protocol"),
        pytest.param(
            (V1, {"token": SECRET, "expirationTimestamp": "soon"}), "can be read", id="an end that is no time"
        ),
        pytest.param((V1, {"token": SECRET, "expirationTimestamp": "2026-01-01"}), "can be read", id="a day alone"),
    ],
)
def test_an_answer_that_is_no_credential(
    tmp_path: Path, authority: CertificateFiles, program: Program, answer: tuple[str, dict[str, str]], says: str
) -> None:
    """Said in words, without the answer."""
    version, status = answer
    program.answers(status, version=version)
    assert says in failure(tmp_path, authority, program.user()).message


def test_a_plugin_that_hangs(
    tmp_path: Path, authority: CertificateFiles, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended at its deadline, with what it has started itself."""
    monkeypatch.setattr(plugin, "DEADLINE_S", 0.3)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program.runs(f"exec 3> {pipe}; sleep 600 & sleep 600")
    error = failure(tmp_path, authority, program.user())
    assert isinstance(error, UnreachableError)
    assert "did not end within 0.3 s" in error.message
    # Nobody holds the pipe any more: the plugin is gone, and so is its child.
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_plugin_that_needs_a_terminal(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """Where there is none, it is not started."""
    program.answers({"token": "t"})
    error = failure(tmp_path, authority, program.user(interactiveMode="Always"))
    assert "nobody can be asked here" in error.message
    assert program.calls == 0


def test_what_a_plugin_is_told(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """Arguments, variables, and the cluster when it asks for that, as kubectl does; and nothing on its stdin."""
    told = tmp_path / "told"
    program.runs(f'cat > {told}-stdin; printf "%s %s\\n%s" "$1" "$REGION" "$KUBERNETES_EXEC_INFO" > {told}; exit 1')
    env = [{"name": "REGION", "value": "eu-west-1"}]
    failure(tmp_path, authority, program.user(args=["get-token"], env=env, provideClusterInfo=True))
    first, _, info = told.read_text().partition("\n")
    assert first == "get-token eu-west-1"
    spec = json.loads(info)["spec"]
    assert (spec["interactive"], spec["cluster"]["server"]) == (False, NOWHERE)
    assert Path(f"{told}-stdin").read_text() == ""


def test_a_path_starts_at_the_kubeconfigs_folder(
    tmp_path: Path, authority: CertificateFiles, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with kubectl, wherever meshkit is run."""
    program.answers({"token": "t"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    client(tmp_path, NOWHERE, authority, {"exec": {"apiVersion": V1, "command": "./bin/aws"}})
    assert program.calls == 1


@pytest.mark.parametrize(
    ("provider", "successor"),
    [("gcp", "gcloud container clusters get-credentials"), ("azure", "az aks get-credentials")],
)
def test_a_removed_auth_provider(tmp_path: Path, authority: CertificateFiles, provider: str, successor: str) -> None:
    """An entry that no client takes any more is explained by the command that writes it anew."""
    user = {"auth-provider": {"name": provider, "config": {"access-token": SECRET, "cmd-path": "/bin/false"}}}
    error = failure(tmp_path, authority, user)
    assert f"auth-provider {provider}" in error.message
    assert successor in error.hint


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param([], id="a list"),
        pytest.param({"apiVersion": V1}, id="no command"),
        pytest.param({"command": "sh"}, id="no version"),
        pytest.param({"apiVersion": V1, "command": "sh", "env": ["A=1"]}, id="variables of another form"),
    ],
)
def test_a_malformed_exec_section(tmp_path: Path, authority: CertificateFiles, spec: Any) -> None:
    """A usage error, not a traceback."""
    error = failure(tmp_path, authority, {"exec": spec})
    assert isinstance(error, UsageError)
    assert "malformed" in error.message


def test_the_kubeconfig_stays_as_it_is(tmp_path: Path, authority: CertificateFiles, program: Program) -> None:
    """No token is written into it."""
    program.answers({"token": SECRET})
    path = Path(kubeconfig(tmp_path / "kubeconfig", NOWHERE, authority.certificate, **program.user()))
    before = path.read_text()
    KubeClient("aks", str(path))
    assert path.read_text() == before
    assert yaml.safe_load(before)["users"][0]["user"] == program.user()


class Terminal:
    """Stands for an end of a terminal."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize("person", [True, False])
def test_who_may_be_asked(
    tmp_path: Path, authority: CertificateFiles, program: Program, monkeypatch: pytest.MonkeyPatch, *, person: bool
) -> None:
    """At a terminal a plugin may speak with a person, unless the command looks at clusters that nobody named."""
    told = tmp_path / "told"
    program.runs(f'printf "%s" "$KUBERNETES_EXEC_INFO" > {told}; exit 1')
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())
    path = kubeconfig(tmp_path / "kubeconfig", NOWHERE, authority.certificate, **program.user())
    with pytest.raises(ForbiddenError):
        KubeClient("aks", path, person=person)
    assert json.loads(told.read_text())["spec"]["interactive"] is person
