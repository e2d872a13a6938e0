"""``meshkit support-bundle``: everything that helps to tell what is wrong, in one archive without secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from meshkit.cli import console
from meshkit.cli.options import Clusters, FederationName, Namespace
from meshkit.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)

SUFFIX = ".tar.gz"
SHORTEST_S, LONGEST_S = 60.0, 7 * 86_400.0


@app.command()
def support_bundle(
    clusters: Clusters = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The archive; else meshkit-support-NAME-TIME.tar.gz in this folder."),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back logs and events go, as 30m or 24h.")] = "1h",
    federation: FederationName = "",
    namespace: Namespace = "",
) -> None:
    """Gather status, checks, probes, objects, events, logs and versions of all clusters in one archive.

    Nothing is changed. Secrets are left out and looked for in everything else; index.html is where to begin, and says
    what was redacted and what could not be read. Only you can read the file: look through it before you hand it on.

    \b
    Examples:
      meshkit support-bundle
      meshkit support-bundle --since 6h --file incident-4711.tar.gz
      meshkit support-bundle aks eks     (on a machine that did not make the federation)
    """
    from meshkit.cli import known
    from meshkit.config import duration
    from meshkit.federation.support import archive
    from meshkit.federation.support.gather import gather, redactor
    from meshkit.report import support as report
    from meshkit.support.document import File

    since_s = duration.option("--since", since, SHORTEST_S, LONGEST_S)
    _check(file)
    with known.opened(federation, clusters or (), namespace) as context:
        redact, unlisted = redactor(context)
        bundle = gather(context, since_s, unlisted)
    found = [*report.documents(bundle), *bundle.files]
    files = [File(entry.path, entry.title, redact.clean(entry.text)) for entry in found]
    index = redact.clean(report.index(bundle, files, redact.counts))
    target = file or Path(f"meshkit-support-{bundle.federation}-{bundle.made_at:%Y%m%d-%H%M%S}{SUFFIX}")
    size = archive.write(target, [File("index.html", "this page", index), *files], bundle.made_at)
    for gap in bundle.gaps:
        console.say(f"not in it: {gap.place}: {gap.why}")
    console.say(f"{len(files) + 1} files, {size / 1e6:.1f} MB, {redact.counts.total():,} secrets taken out")
    typer.echo(str(target))


def _check(file: Path | None) -> None:
    """Refuse what can't be the archive, before anything is asked of a cluster."""
    if file is None:
        file = Path(f"x{SUFFIX}")
    if not file.name.endswith(SUFFIX) or file.name == SUFFIX:
        raise UsageError(f"--file: {file} is not a name for the archive", hint=f"--file NAME{SUFFIX}")
    if file.exists():
        raise UsageError(f"--file: {file} exists", hint="remove it, or name another one")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"--file: nothing can be written to {file.parent}", hint="the folder must exist, and be yours to write to"
        )
