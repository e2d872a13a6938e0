"""``meshkit probe matrix``: every ordered pair of datacenters, and whether the mesh lets through what it should."""

from __future__ import annotations

from meshkit.cli.options import Contexts, FederationName, Namespace
from meshkit.cli.probe.options import Count, Expect, File, For, From, Interval, Output, Rate, Timeout, To
from meshkit.errors import UsageError
from meshkit.probes.wanted import LADDER


def matrix(  # noqa: PLR0913 - one parameter per option
    *,
    from_: From = None,
    to: To = None,
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
    """Probe all pairs of datacenters: loss, latency, what the network costs and what the mesh adds.

    The ladder of each pair goes from the network to a stream through the mesh, so that the first rung that is broken
    says where to look. Intentions are tried too: what is allowed has to pass, and what is denied has to be refused.

    \b
    Examples:
      meshkit probe matrix
      meshkit probe matrix --expect 'p99<120ms, loss<0.1%' --output junit > probes.xml
      meshkit probe matrix --for 5m --output html --file report.html
    """
    from meshkit.cli import known
    from meshkit.cli.probe import output as outputs
    from meshkit.cli.probe import request, work
    from meshkit.federation.probing import surroundings

    timing = request.pace(count, interval, for_, rate, timeout)
    outputs.check_file(file)
    words = request.Words(sources=from_ or (), destinations=to or (), expect=expect or ())
    found, held = known.find(federation, context or (), namespace)
    wanted = request.wanted(words, [dc.name for dc in found.datacenters], timing)
    if wanted.kind != LADDER:
        raise UsageError("the matrix is of datacenters", hint="meshkit probe run probes services and addresses")
    with known.connected(found, held) as opened:
        seen = surroundings.look(opened)
        intentions = work.intentions(opened, wanted, seen)
        ladders = work.probed(opened, (wanted,), timing, seen)
    outputs.show(work.together(intentions, ladders), output, file, ladder=True)
