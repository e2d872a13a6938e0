"""Options that several probe commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from meshkit.cli import completion

Form = Literal["table", "json", "junit", "html", "csv"]
Output = Annotated[Form, typer.Option("--output", "-o", help="Form of what is printed.")]
File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Write it there instead of to standard output.")
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect", metavar="CONDITIONS", help="Exit code 1 unless they hold, as 'p99<120ms, loss<0.1%'; repeat it."
    ),
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="DC",
        help="Where probes start; every datacenter. Repeat it.",
        autocompletion=completion.sources,
    ),
]
To = Annotated[
    list[str] | None,
    typer.Option(
        "--to", metavar="DC", help="Where they go; every datacenter. Repeat it.", autocompletion=completion.datacenters
    ),
]
Count = Annotated[int | None, typer.Option(metavar="N", help="Probes of each kind; 20.", show_default=False)]
Interval = Annotated[str, typer.Option(metavar="TIME", help="From one probe to the next, as 200ms or 1s; 200ms.")]
For = Annotated[
    str, typer.Option("--for", metavar="TIME", help="Probe for this long, as 60s or 5m, instead of N times.")
]
Rate = Annotated[float | None, typer.Option(metavar="N", help="Probes of each kind a second, instead of --interval.")]
Timeout = Annotated[str, typer.Option(metavar="TIME", help="A probe without an answer by then has failed; 3s.")]
