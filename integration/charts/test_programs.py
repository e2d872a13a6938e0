"""What the charts configure, read by the programs themselves: Consul and Envoy."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from charts.rendering import find, meshkit_values, render, with_value
from meshkit.lab import toolchain


@pytest.mark.parametrize("servers", [1, 3, 5])
@pytest.mark.parametrize("place", [0, 1], ids=["primary", "secondary"])
def test_consul_takes_the_servers_configuration(servers: int, place: int, tmp_path: Path) -> None:
    """``consul validate``; the address is given here because it is the pod's in a cluster."""
    values = with_value(
        meshkit_values("consul", place, servers=servers), "server.extraConfig", '{"advertise_addr": "127.0.0.1"}'
    )
    config = tmp_path / "server.json"
    config.write_text(find(render("consul", values), "ConfigMap", "consul-server-config")["data"]["server.json"])

    done = subprocess.run(
        [str(toolchain.tool("consul")), "validate", str(config)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_http_is_answered_with_who_it_is(echo: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{echo}/any/path") as answer:
        assert json.load(answer) == {"service": "mesh-probe-aks", "datacenter": "aks"}


@pytest.mark.parametrize(
    "sent", [b"hello\n", b"\x00\x01\x02", b"G", b"\x16\x03\x01\x00"], ids=["text", "bytes", "one letter", "TLS"]
)
def test_anything_else_is_sent_back_as_it_came(echo: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", echo), timeout=10) as connection:
        connection.sendall(sent)
        assert connection.recv(100) == sent


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an Envoy with the echo's configuration; it says itself when it serves."""
    config = json.loads(
        find(render("mesh-probe", meshkit_values("mesh-probe")), "ConfigMap", "mesh-probe")["data"]["echo.json"]
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = port
    path = tmp_path_factory.mktemp("echo") / "echo.json"
    path.write_text(json.dumps(config))
    argv = [str(toolchain.envoy()), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "starting main dispatch loop" in line:
                break
        else:
            pytest.fail("".join(said))
        yield port
        process.kill()
