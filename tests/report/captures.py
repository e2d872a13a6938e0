"""A capture for the renderers' tests, the same at every run."""

from __future__ import annotations

from capture.traffic import TRUST, Wire, tls
from meshkit.capture.result import Losses, Result
from meshkit.capture.session import Session, Wanted

NAMES = {"10.0.0.1": "consul-mesh-gateway-0", "10.0.0.2": "gateway of eks"}
HOSTILE = "evil\x1b[31m\nname.example"


def result(*, losses: Losses = Losses(), more: tuple[Wire, ...] = ()) -> Result:  # noqa: B008 - a value
    """Requests to a service, WAN gossip, server RPC; one refused, one lost, one reset, one from before, one foreign."""
    session = Session("aks", Wanted(), ports=(443, 8443))
    refused, lost, reset = (Wire(client_port=port, out=True, server_port=443) for port in (40010, 40011, 40012))
    refused.send(300, "S")
    refused.send(370, "RA", by_client=False)
    lost.send(300, "S")
    lost.send(1300, "S", sequence=100)
    reset.handshake(400).say(480, tls("web.default.eks.internal." + TRUST).packets[3].data[40:])
    reset.send(560, "A", by_client=False, window=0)
    reset.send(600, "RA", by_client=False)
    before = Wire(client_port=40013)
    before.send(500, "PA", b"\x17\x03\x03\0\x10" + b"s" * 16)
    repeated = tls(client_port=40001)
    repeated.send(400, "PA", b"answer", by_client=False, sequence=5001)
    gossip = tls("consul-server-0.server.eks.consul", ("consul/wan-gossip/packet",), out=True, server_port=443)
    rpc = tls("server.aks.consul", ("consul/rpc-multi",), client_port=40003)
    wires = (tls(), repeated, gossip, rpc, refused, lost, reset, before, tls(HOSTILE, client_port=40014), *more)
    for wire in wires:
        for packet in wire.packets:
            session.take(packet, "consul-mesh-gateway-0")
    session.table.skip("not IP", 60)
    return session.result(losses, ("the connection to another pod is lost",), NAMES)
