"""``meshkit capture``: what passes a mesh gateway, live or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshkit.cli import completion
from meshkit.cli.options import Contexts, FederationName, Namespace, Output
from meshkit.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Where = Annotated[
    str,
    typer.Argument(
        metavar="[DC]",
        help="The datacenter at whose gateways to capture.",
        autocompletion=completion.datacenters,
        show_default=False,
    ),
]
Gateway = Annotated[
    bool, typer.Option("--gateway", help="At the mesh gateways, which is the default and the only place so far.")
]
Pod = Annotated[str, typer.Option("--pod", metavar="POD", help="Only at this gateway pod; else at all of them.")]
Port = Annotated[
    list[int] | None,
    typer.Option(
        "--port",
        metavar="N",
        min=1,
        max=65535,
        help="A port beside those that gateways listen on, as 20000 of sidecars; repeat it.",
    ),
]
Sni = Annotated[
    str,
    typer.Option("--sni", metavar="GLOB", help="Only connections that ask for such a name, as 'backend.*'."),
]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="End after this, as 30s; else Ctrl-C ends it.")]
Count = Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many packets.", show_default=False)]
Write = Annotated[
    Path | None,
    typer.Option("--write", "-w", metavar="FILE", help="Write a pcap for Wireshark: headers and TLS hellos alone."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Read = Annotated[
    Path | None, typer.Option("--read", "-r", metavar="FILE", help="Read a pcap or pcapng instead of capturing.")
]
Connections = Annotated[bool, typer.Option("--connections", help="List every connection too; JSON always has them.")]
Image = Annotated[
    str, typer.Option("--image", metavar="IMAGE", help="Image with Python 3.11 or later; else that of the agent.")
]


@app.command()
def capture(  # noqa: PLR0913 - one parameter per option
    where: Where = "",
    *,
    gateway: Gateway = False,
    pod: Pod = "",
    port: Port = None,
    sni: Sni = "",
    for_: For = "",
    count: Count = None,
    write: Write = None,
    force: Force = False,
    read: Read = None,
    connections: Connections = False,
    image: Image = "",
    output: Output = "table",
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Show what passes a mesh gateway: for whom each connection is, and how TCP fares. Never payloads.

    A small program captures in the gateway's pod, in an ephemeral container with NET_RAW beside the gateway. Such a
    container can't be taken out of a pod again: it is used by the next capture too, ends ten minutes after the last
    one, and is gone with the pod. The program itself ends with this command, however that ends.

    Round trips are of handshakes, from the gateway to the client and to the server of a connection. "in" was opened
    to the gateway, "out" by it: one request from service to service is both. With --sni only connections that begin
    during the capture are seen, since the name is in their first packet.

    \b
    Examples:
      meshkit capture aks
      meshkit capture aks --gateway --for 30s -w aks.pcap
      meshkit capture aks --sni 'backend.*' --connections
      meshkit capture aks --for 1m --output json | jq '.destinations[] | {destination, states}'
      meshkit capture --read aks.pcap --connections
    """
    del gateway
    from meshkit.capture.files import Writer
    from meshkit.capture.session import Wanted
    from meshkit.cli import capturing

    for_s = capturing.check(where, for_, read, only_live={"--pod": pod, "--image": image})
    wanted = Wanted(sni, count)
    writer = Writer(write, force=force, directions=read is None) if write else None
    if writer:
        writer.check()
    if read and write and write.exists() and write.samefile(read):
        raise UsageError("-w would write over the file that is read", hint="-w another one")
    if read:
        result, failures = capturing.saved(read, wanted, writer, tuple(port or ()))
    else:
        from meshkit.cli import known

        found, held = known.find(federation, context or (), namespace)
        request = capturing.Request(where, pod, tuple(port or ()), image, for_s)
        with known.connected(found, held) as opened:
            result, failures = capturing.live(opened, request, wanted, writer)
    capturing.show(result, output, connections=connections)
    capturing.fail(failures)
