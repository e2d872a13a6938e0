"""A credential plugin against a real API server and a real Helm: its credential is taken, and renewed in use."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusters import Lab

from meshkit.backends.helm import HelmClient
from meshkit.backends.kube import KubeClient
from meshkit.errors import ForbiddenError
from meshkit.lab import toolchain
from meshkit.lab.waiting import wait_until

pytestmark = pytest.mark.lab

PLUGIN = """\
#!{python}
import datetime, json, pathlib
folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write("x")
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
status = json.loads((folder / "identity").read_text()) | {{"expirationTimestamp": ends.isoformat()}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""


class Login:
    """A kubeconfig whose only user logs in with a program that gives the lab's own certificate for two seconds."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.context = lab.names[0]
        self.folder = folder
        self.path = folder / "kubeconfig"
        content: dict[str, Any] = yaml.safe_load(lab.kubeconfig.read_text())
        entry = next(c["context"] for c in content["contexts"] if c["name"] == self.context)
        user = next(u["user"] for u in content["users"] if u["name"] == entry["user"])
        keys = ("clientCertificateData", "client-certificate-data"), ("clientKeyData", "client-key-data")
        identity = {ours: base64.b64decode(user[theirs]).decode() for ours, theirs in keys}
        (folder / "identity").write_text(json.dumps(identity))
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "Never"}
        content["users"] = [{"name": entry["user"], "user": {"exec": plugin}}]
        self.path.write_text(yaml.safe_dump(content))
        self.runs(PLUGIN.format(python=sys.executable, folder=str(folder)))

    def runs(self, script: str) -> None:
        (self.folder / "login").write_text(script)
        (self.folder / "login").chmod(0o700)

    @property
    def calls(self) -> int:
        return len((self.folder / "calls").read_text())


@pytest.fixture
def login(lab: Lab, tmp_path: Path) -> Login:
    return Login(lab, tmp_path)


def helm(login: Login) -> HelmClient:
    return HelmClient(login.context, executable=str(toolchain.tool("helm")), kubeconfig=str(login.path))


def test_certificates_are_renewed_in_a_long_run(login: Login) -> None:
    """The API server knows who asks, before and after the first certificate has been given up."""
    kube = KubeClient(login.context, str(login.path))
    assert login.calls == 1
    wait_until(lambda: bool(kube.list("Node")) and login.calls > 2, 30, "a second and third login")


def test_helm_logs_in_with_the_same_entry(login: Login) -> None:
    """By itself, from the same kubeconfig."""
    assert helm(login).release("none", "default") is None
    assert login.calls >= 1


def test_a_plugin_that_fails_is_told_for_both(login: Login) -> None:
    """The context and the plugin's own words, not an unreachable cluster."""
    login.runs("#!/bin/sh\necho 'session has expired' >&2\nexit 255\n")
    with pytest.raises(ForbiddenError, match=rf"^{login.context}: login, .* exit code 255: session has expired"):
        KubeClient(login.context, str(login.path))
    with pytest.raises(ForbiddenError, match=rf"^{login.context}: helm can't log in: exec: "):
        helm(login).release("none", "default")
