"""A kubeconfig's login plugins, when clients of several contexts are made at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from meshkit.backends import kubeconfig
from meshkit.errors import ForbiddenError

CREDENTIAL = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}'


def context(path: Path, script: str) -> str:
    """A kubeconfig with one context, aks or eks as its file is called, that logs in with a shell script."""
    login = path.with_suffix(".sh")
    login.write_text(f"#!/bin/sh\n{script}\n")
    login.chmod(0o700)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(login)}}
    entry = {"cluster": "c", "user": "u"}
    path.write_text(
        yaml.safe_dump(
            {
                "contexts": [{"name": path.name, "context": entry}],
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return str(path)


def test_failed_login_of_another_context(tmp_path: Path) -> None:
    """A plugin that fails while another context's is still at work is reported for its own context only."""
    started, answer = tmp_path / "started", tmp_path / "answer"
    os.mkfifo(started)
    os.mkfifo(answer)
    slow = context(tmp_path / "aks", f"echo > '{started}'; cat '{answer}'")
    failing = context(tmp_path / "eks", "echo 'session has expired' >&2; exit 1")
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(kubeconfig.load, "aks", slow)
        started.read_text()
        try:
            with pytest.raises(ForbiddenError, match=r"eks: .*session has expired"):
                kubeconfig.load("eks", failing)
        finally:
            answer.write_text(CREDENTIAL)
        configuration, _ = client.result()
        assert list(configuration.api_key.values()) == ["Bearer t"]
