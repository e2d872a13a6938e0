"""``meshkit probe run``: probe now, and show what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import completion
from meshkit.cli.options import Contexts, FederationName, Namespace
from meshkit.cli.probe.options import Count, Expect, File, For, From, Interval, Output, Rate, Timeout, To

Source = Annotated[
    str,
    typer.Argument(
        metavar="SRC",
        help="Where probes start: aks, aks/frontend, local; else every datacenter.",
        autocompletion=completion.sources,
        show_default=False,
    ),
]
Destination = Annotated[
    str,
    typer.Argument(
        metavar="DST",
        help="Where they go: eks, eks/backend, backend.eks, host:port, a URL; else every datacenter.",
        autocompletion=completion.datacenters,
        show_default=False,
    ),
]
Mechanism = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="tcp, tls, http, grpc, dns, udp, icmp, path; else what DST calls for, else the ladder.",
        autocompletion=completion.mechanisms,
    ),
]
Target = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A field of the mechanism, as port=5432; repeat it.")
]
Rungs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RUNG",
        help="Only this of the ladder: network, gateway, rpc, mesh; repeat it.",
        autocompletion=completion.rungs,
    ),
]
As = Annotated[str, typer.Option("--as", metavar="SERVICE", help="Present this service's identity.")]


def run(  # noqa: PLR0913 - one parameter per option
    source: Source = "",
    destination: Destination = "",
    *,
    from_: From = None,
    to: To = None,
    mechanism: Mechanism = "",
    target: Target = None,
    rung: Rungs = None,
    as_: As = "",
    count: Count = None,
    interval: Interval = "",
    for_: For = "",
    rate: Rate = None,
    timeout: Timeout = "",
    expect: Expect = None,
    output: Output = "table",
    file: File = None,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Probe now: the ladder between datacenters, a service through the mesh, or any address.

    Probes start in the clusters, by the agents there; from this machine only with local as the source. Exit code 1
    when an expectation does not hold, nothing came through where none was given, or a datacenter can not be asked.

    \b
    Examples:
      meshkit probe run
      meshkit probe run aks eks --for 60s --rate 50 --expect 'p99<120ms, loss<0.1%'
      meshkit probe run aks/frontend eks/backend
      meshkit probe run aks db.internal.example:5432 --count 100
      meshkit probe run local https://shop.example/health --expect 'certificate > 33%'
      meshkit probe run --from aks --mechanism dns --target name=backend.service.consul --target type=SRV
      meshkit probe run aks 10.1.2.3 --mechanism path
    """
    from meshkit.cli import known
    from meshkit.cli.probe import output as outputs
    from meshkit.cli.probe import request, work

    timing = request.pace(count, interval, for_, rate, timeout, mechanism=mechanism)
    outputs.check_file(file)
    words = request.Words(
        source, destination, from_ or (), to or (), mechanism, rung or (), target or (), as_, expect or ()
    )
    found, held = known.find(federation, context or (), namespace)
    wanted = request.wanted(words, [dc.name for dc in found.datacenters], timing)
    with known.connected(found, held) as opened:
        outcome = work.probed(opened, (wanted,), timing)
    outputs.show(outcome, output, file, ladder=True)
