"""The root of the command line and the only place where an error becomes words and an exit code.

Rules of the terminal: stdout is data, stderr is narration; ``meshkit: error:`` and ``meshkit: hint:``, lower case, no
full stop; exit code 2 for a wrong call, 1 for the rest, 130 after Ctrl-C. Commands are imported when they are called,
and the list below carries their one line of help, so that ``meshkit --help`` imports none of them.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import meshkit
from meshkit.cli import console
from meshkit.errors import MeshkitError

COMMANDS = {
    "federate": "Make one Consul service mesh of two or more clusters, and prove that it works.",
    "discover": "List the clusters of all kubeconfigs, and which of them can join.",
    "status": "Show datacenters, servers, gateways, certificates and the links between them.",
    "check": "Judge the federation by a catalogue of checks, each with a hint.",
    "trace": "Name the first broken hop between two services, and the remedy.",
    "doctor": "Find everything that would break some path, worst first.",
    "allow": "Let one service open connections to another, across all datacenters.",
    "deny": "Forbid one service to open connections to another.",
    "intentions": "List who may talk to whom.",
    "upgrade": "Bring Consul to another version, one datacenter after the other, each proven.",
    "render": "Print what federate would install: values, objects, or a form for GitOps.",
    "leave": "Take a datacenter out of the federation and remove Consul from its cluster.",
    "destroy": "Remove the federation from all its clusters.",
    "init": "Print a commented mesh.yaml for federate -f.",
    "probe": "Measure connectivity and latency between services and clouds, once or on a schedule.",
    "capture": "Show what passes a mesh gateway: for whom each connection is, and how TCP fares.",
    "support-bundle": "Gather everything that helps to tell what is wrong in one archive, without secrets.",
    "lab": "Run real local clusters with an emulated WAN between them.",
}
"""Command to its help; the module of the same name in this package, with underscores, has it as ``app``."""

INTERRUPTED = 128 + signal.SIGINT


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table: most used first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"meshkit.cli.{cmd_name.replace('-', '_')}")
        return typer.main.get_command(module.app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table itself, so that help imports no command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, with the table's names for "did you mean"."""
        self.commands = dict.fromkeys(COMMANDS, self)  # only the keys are read
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"meshkit {meshkit.__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="kubeconfig file; else KUBECONFIG, else ~/.kube/config.", metavar="FILE")
    ] = None,
    color: Annotated[
        bool, typer.Option("--color/--no-color", help="Colours on a terminal; NO_COLOR switches them off too.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Kubernetes clusters in different clouds as one Consul service mesh, proven and measured.

    \b
    Try it on this machine:
      meshkit lab up aks eks --delay 35ms
      meshkit federate aks eks
      meshkit status
    """
    del version
    if kubeconfig:
        os.environ["KUBECONFIG"] = str(kubeconfig)  # helm and the Kubernetes client both read it
    console.configure(color=color, quiet=quiet, verbose=verbose)


def main() -> None:
    """Run, print an error as one line and a hint, and exit with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        console.print_usage_error(error)
        code = getattr(error, "exit_code", 2)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # the reader of stdout has gone, as in "meshkit status | head -1"; nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except MeshkitError as error:
        console.print_error(error)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug must still end in one line, with the way to more
        console.print_error(_bug(error))
        code = 1
    if code == INTERRUPTED:
        console.print_error(
            MeshkitError("interrupted", hint="run the same command again: it goes on where this one stopped")
        )
    sys.exit(code or 0)


def _bug(error: Exception) -> MeshkitError:
    """An exception that no backend mapped; its text may quote anything, so only its kind is shown without -v."""
    bug = MeshkitError(
        f"an error that meshkit does not know: {type(error).__name__}",
        hint="this is a bug: run again with meshkit --verbose and report what it prints",
    )
    bug.__cause__ = error
    return bug


def _interrupt(number: int, frame: object) -> None:
    """SIGTERM ends a run the way Ctrl-C does."""
    del number, frame
    raise KeyboardInterrupt
