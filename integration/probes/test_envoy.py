"""The TLS, HTTP and gRPC mechanisms against a real Envoy that demands mesh certificates and asks intentions of them.

One listener speaks HTTP and refuses with a 403, the other passes streams and refuses by closing: the two ways in which
a sidecar enforces intentions.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from meshkit.lab import toolchain
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.grpc import GrpcTarget
from meshkit.probes.mechanisms.http import HttpTarget
from meshkit.probes.mechanisms.tls import TlsTarget
from probes import http2_server, responders
from probes.authority import Authority
from probes.once import observe

DOMAIN = "spiffe://b6fc.consul/ns/default/dc"
WEB, FRIEND, STRANGER = f"{DOMAIN}/eks/svc/web", f"{DOMAIN}/aks/svc/api", f"{DOMAIN}/aks/svc/other"
MESH = {"server_name": "web", "verify": "mesh", "spiffe": "/ns/default/dc/eks/svc/web"}
TYPES = "type.googleapis.com/envoy.extensions"


class Sidecar(NamedTuple):
    """Ports of the two listeners, and the identities to speak with."""

    http: int
    stream: int
    io: Io


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    ca = Authority()
    ports = [_free_port(), _free_port()]
    path = tmp_path_factory.mktemp("sidecar") / "envoy.json"
    argv = [str(toolchain.envoy()), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    io = Io(identities={"friend": ca.identity(FRIEND), "stranger": ca.identity(STRANGER)})
    serving = http2_server.answer(200, b"\0\0\0\0\2\x08\x01", trailers=[("grpc-status", "0")])
    with responders.tcp(http2_server.serve(serving)) as service:
        path.write_text(json.dumps(_config(ca, *ports, service)))
        yield from _run(argv, Sidecar(*ports, io))
    io.close()


def _run(argv: list[str], sidecar: Sidecar) -> Iterator[Sidecar]:
    """Envoy says itself when it serves."""
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "starting main dispatch loop" in line:
                    break
            else:
                pytest.fail("".join(said))
            yield sidecar
        finally:
            process.kill()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize(("identity", "reason"), [("friend", "ok"), ("stranger", "denied")])
def test_http_passes_for_a_friend_and_is_denied_to_a_stranger(
    sidecar: Sidecar, version: str, identity: str, reason: str
) -> None:
    url = f"https://127.0.0.1:{sidecar.http}/"
    sample = observe(HttpTarget(url, version=version, identity=identity, **MESH), io=sidecar.io)
    assert sample.reason == reason, sample
    assert set(sample.phases) == {"connect", "tls", "write", "processing", "transfer"}
    assert sample.facts["tls"]["spiffe"] == WEB


def test_grpc_passes_for_a_friend_and_is_denied_to_a_stranger(sidecar: Sidecar) -> None:
    def ask(identity: str) -> Any:
        return observe(GrpcTarget("127.0.0.1", sidecar.http, tls=True, identity=identity, **MESH), io=sidecar.io)

    friend = ask("friend")
    assert (friend.reason, friend.facts.get("serving")) == ("ok", "SERVING"), friend
    assert ask("stranger").reason == "denied"


@pytest.mark.parametrize(("identity", "reason"), [("friend", "ok"), ("stranger", "denied")])
def test_a_stream_passes_for_a_friend_and_is_denied_to_a_stranger(sidecar: Sidecar, identity: str, reason: str) -> None:
    target = TlsTarget("127.0.0.1", sidecar.stream, greeting="hello", linger_s=2.0, identity=identity, **MESH)
    sample = observe(target, io=sidecar.io)
    assert sample.reason == reason, sample
    assert set(sample.phases) == {"connect", "tls"}


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_without_a_certificate_the_sidecar_answers_with_an_alert(sidecar: Sidecar, version: str) -> None:
    url = f"https://127.0.0.1:{sidecar.http}/"
    sample = observe(HttpTarget(url, version=version, verify="none"), io=sidecar.io)
    assert (sample.reason, sample.detail) == ("tls_alert", "the target sent the alert certificate_required")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _config(ca: Authority, http: int, stream: int, service: int) -> dict[str, Any]:
    leaf = ca.leaf((), spiffe=WEB)
    rules = {
        "action": "ALLOW",
        "policies": {
            "intention": {
                "permissions": [{"any": True}],
                "principals": [{"authenticated": {"principal_name": {"exact": FRIEND}}}],
            }
        },
    }
    network, filters = f"{TYPES}.filters.network", f"{TYPES}.filters.http"
    manager = {
        "@type": f"{network}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "http_filters": [
            _named("rbac", {"@type": f"{filters}.rbac.v3.RBAC", "rules": rules}),
            _named("router", {"@type": f"{filters}.router.v3.Router"}),
        ],
        "route_config": {"virtual_hosts": [{"name": "web", "domains": ["*"], "routes": _routes()}]},
    }
    tls = {
        "@type": f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [
                {
                    "certificate_chain": {"inline_string": leaf.certificate},
                    "private_key": {"inline_string": leaf.key},
                }
            ],
            "validation_context": {"trusted_ca": {"inline_string": ca.root}},
        },
    }
    denying = {"@type": f"{network}.rbac.v3.RBAC", "stat_prefix": "rbac", "rules": rules}
    echo = {"@type": f"{network}.echo.v3.Echo"}
    return {
        "static_resources": {
            "listeners": [
                _listener(http, tls, [_named("manager", manager)]),
                _listener(stream, tls, [_named("rbac", denying), _named("echo", echo)]),
            ],
            "clusters": [_cluster(service)],
        }
    }


def _routes() -> list[dict[str, Any]]:
    """Health goes to the service behind the sidecar; Envoy itself answers everything else."""
    return [
        {"match": {"prefix": "/grpc.health.v1.Health/"}, "route": {"cluster": "service"}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}},
    ]


def _cluster(port: int) -> dict[str, Any]:
    """The service behind the sidecar, which speaks HTTP/2."""
    options = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": "service",
        "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _named(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": config}


def _listener(port: int, tls: dict[str, Any], filters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "address": _address(port),
        "filter_chains": [{"filters": filters, "transport_socket": _named("tls", tls)}],
    }
