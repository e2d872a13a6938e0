"""The charts' start scripts in a plain shell, with folders of the test in the place of the pod's."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

from charts.rendering import CHARTS

FAKE_CONSUL = '#!/bin/sh\nprintf "%s\\n" "$@" > "$ARGUMENTS"\nenv >> "$ARGUMENTS"\n'


def test_the_server_reads_its_secrets_from_a_private_file(tmp_path: Path) -> None:
    """Mounted Secrets become one JSON file; a token whose Secret is not mounted is left out."""
    secrets = {"gossip": "a2V5", "agent": "agent-token", "initial_management": "management-token"}

    written, arguments = _start_server(tmp_path, secrets)

    assert json.loads(written.read_text()) == {
        "encrypt": "a2V5",
        "acl": {"tokens": {"initial_management": "management-token", "agent": "agent-token"}},
    }
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert f"-config-file={written}" in arguments


def test_no_secret_is_in_the_server_s_arguments_or_environment(tmp_path: Path) -> None:
    """Any process of the node may read the command line."""
    _, arguments = _start_server(tmp_path, {"gossip": "a2V5", "agent": "agent-token", "dns": "dns-token"})

    assert "-node=consul-server-0" in arguments
    assert [secret for secret in ("a2V5", "agent-token", "dns-token") if secret in arguments] == []


def test_a_gateway_without_its_service_says_so_and_stops(tmp_path: Path) -> None:
    """The kubelet leaves the variable of an unknown Service as it stands; the next start has it."""
    environment = os.environ | {"LAN_ADDRESS": "$(CONSUL_MESH_GATEWAY_SERVICE_HOST)"}

    done = subprocess.run(
        ["sh", str(CHARTS / "consul" / "files" / "gateway.sh")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "the mesh gateway's Service was not there when this pod started" in done.stdout


def _start_server(folder: Path, secrets: dict[str, str]) -> tuple[Path, str]:
    """Run the script with a consul that writes down what it is started with: the secret file, and what was written."""
    for name, value in secrets.items():
        mounted = folder / "secrets" / name
        mounted.mkdir(parents=True)
        (mounted / "value").write_text(f"{value}\n")
    (folder / "config").mkdir()
    consul = folder / "bin" / "consul"
    consul.parent.mkdir()
    consul.write_text(FAKE_CONSUL)
    consul.chmod(0o755)
    text = (CHARTS / "consul" / "files" / "server.sh").read_text()
    script = folder / "server.sh"
    # The longer path first: it holds the shorter one.
    script.write_text(
        text.replace("/consul/secret-config", str(folder / "config"))
        .replace('"/secrets/', f'"{folder}/secrets/')
        .replace("cat /secrets/", f"cat {folder}/secrets/")
    )
    arguments = folder / "arguments"
    environment = {"PATH": f"{consul.parent}:{os.environ['PATH']}", "ARGUMENTS": str(arguments)}
    subprocess.run(["sh", str(script), "-node=consul-server-0"], env=environment, check=True)
    return folder / "config" / "secrets.json", arguments.read_text()
