"""The three ways to run an agent, and the one place where its errors are told.

``serve`` is the daemon, ``run`` answers one request on stdin, ``job`` is what a CronJob runs.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from meshkit.errors import MeshkitError
from meshkit.probes.agent.log import Log


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit code."""
    arguments = _parser().parse_args(argv)
    _open_files()
    try:
        return _run(arguments)
    except MeshkitError as error:
        Log().event("failed", error=error.message, hint=error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _open_files() -> None:
    """As many as this process may: each probe under way has one, and the soft limit is often 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent", description="meshkit's prober inside a cluster")
    ways = parser.add_subparsers(dest="way", required=True)
    serve = ways.add_parser("serve", help="probe on the cluster's schedule, keep and serve the results")
    serve.add_argument("--config", type=Path, required=True, help="agent.json")
    ways.add_parser("run", help="answer one request, a line of JSON on stdin")
    job = ways.add_parser("job", help="probe once, and store the results")
    job.add_argument("--config", type=Path, required=True, help="the job's JSON")
    job.add_argument("--name", required=True, help="the schedule's entry, part of the ConfigMap's name")
    prober = ways.add_parser("prober", help="the child process of serve")
    prober.add_argument("--identity", type=Path, help="folder of the mesh certificate")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    """Each way imports what it needs: the prober is to stay small."""
    if arguments.way == "run":
        from meshkit.probes.agent import run  # noqa: PLC0415

        return run.run(sys.stdin.fileno(), sys.stdout.buffer)
    if arguments.way == "prober":
        from meshkit.probes.agent import prober  # noqa: PLC0415

        return prober.main(arguments.identity)
    from meshkit.probes.agent import config  # noqa: PLC0415

    if arguments.way == "job":
        from meshkit.probes.agent import job  # noqa: PLC0415

        return job.run(config.load(arguments.config, config.JobConfig), arguments.name)
    from meshkit.probes.agent import keeper  # noqa: PLC0415

    return keeper.serve(config.load(arguments.config, config.Config))
