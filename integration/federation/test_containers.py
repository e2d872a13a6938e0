"""The official Consul image keeps what ``base.Consul`` promises, in a container, where a Docker daemon answers.

No cluster is needed: one server with TLS and ACLs, and a mesh gateway in its catalog, which is all that the contract
asks for. Without a daemon this is the one test that does not run, and it says why.
"""

from __future__ import annotations

import gc
import json
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.consul import ConsulContract
from meshkit.backends.base import Consul
from meshkit.backends.consul import ConsulClient
from meshkit.errors import MeshkitError
from meshkit.lab.waiting import wait_until
from meshkit.pki import profiles
from meshkit.pki.authority import Authority

IMAGE = "hashicorp/consul:1.22.7"
DATACENTER = "aks"
HTTPS_PORT = 8501
READY_S = 60.0


def why_not() -> str:
    """Why no container can be started here, empty when one can."""
    import docker  # noqa: PLC0415 - only this test needs it
    from docker.errors import DockerException  # noqa: PLC0415 - as above

    reason = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the client leaves its socket open when nobody answers
        try:
            docker.from_env().close()
        except DockerException as error:
            reason = f"no Docker daemon answers: {error}"
        gc.collect()
    return reason


def configuration(token: str) -> dict[str, object]:
    """One server as the chart configures it, as far as the contract can see."""
    certificates = {name: f"/consul/config/{file}" for name, file in FILES.items()}
    return {
        "datacenter": DATACENTER,
        "node_name": "consul-server-0",
        "server": True,
        "bootstrap_expect": 1,
        "client_addr": "0.0.0.0",  # noqa: S104 - inside the container
        "ports": {"http": -1, "https": HTTPS_PORT, "grpc_tls": 8503},
        "tls": {"defaults": certificates | {"verify_outgoing": True}, "internal_rpc": {"verify_server_hostname": True}},
        "connect": {"enabled": True, "enable_mesh_gateway_wan_federation": True},
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            "tokens": {"initial_management": token, "agent": token, "replication": token},
        },
        "services": [GATEWAY | {"token": token}],
    }


FILES = {"ca_file": "ca.pem", "cert_file": "server.pem", "key_file": "key.pem"}
WAN = {"lan": {"address": "10.0.0.1", "port": 443}, "wan": {"address": "198.51.100.1", "port": 443}}
GATEWAY = {
    "kind": "mesh-gateway",
    "name": "mesh-gateway",
    "port": 443,
    "tagged_addresses": WAN,
    "meta": {"consul-wan-federation": "1"},
}


def write(folder: Path, token: str) -> None:
    """Configuration and certificates, made the way a federation's are."""
    now = datetime.now(UTC)
    authority = Authority.create(profiles.load("ca"), "containers", now)
    profile = profiles.load("server")
    sans = profile.sans(datacenter=DATACENTER, release="consul", namespace="consul")
    certificate, key = authority.issue(profile, sans, f"server.{DATACENTER}.consul", now)
    folder.chmod(0o755)  # the image's user is not this one
    for name, text in (
        ("ca.pem", authority.certificate_pem),
        ("server.pem", certificate),
        ("key.pem", key.reveal()),
        ("server.json", json.dumps(configuration(token))),
    ):
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consul]:
    """A client of the server in its container, once that has a leader and knows its gateway."""
    reason = why_not()
    if reason:
        pytest.skip(f"not run: {reason}")
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - needs a daemon when imported

    folder, token = tmp_path_factory.mktemp("consul"), str(uuid.uuid4())
    write(folder, token)
    container = DockerContainer(IMAGE).with_exposed_ports(HTTPS_PORT).with_command("agent")
    with container.with_volume_mapping(str(folder), "/consul/config", "ro") as running:
        port = int(running.get_exposed_port(HTTPS_PORT))
        client = ConsulClient(DATACENTER, port, token, str(folder / "ca.pem"))
        wait_until(lambda: _settled(client), READY_S, "Consul in its container")
        yield client
        client.close()


class TestConsulInAContainer(ConsulContract):
    """Against the official image."""

    @pytest.fixture
    def primary(self) -> str:
        return DATACENTER


def _settled(consul: Consul) -> bool:
    """A leader, its own node healthy, and its gateway known."""
    try:
        checks = consul.node_checks("consul-server-0", DATACENTER)
        return bool(consul.leader() and checks and consul.gateways().get(DATACENTER))
    except MeshkitError:
        return False
