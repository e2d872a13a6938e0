"""The root: help that imports little, errors as one line and a hint, and exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer

from meshkit.cli import app, console
from meshkit.errors import CombinedError, MeshkitError
from meshkit.federation import state

Meshkit = Callable[..., Any]
HEAVY = ("kubernetes", "pydantic", "rich", "pyhelm3", "consul", "cryptography", "yaml")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_is_light(arguments: list[str]) -> None:
    """Help and version import none of the heavy libraries."""
    script = (
        "import sys\nfrom meshkit.cli import app\n"
        "try:\n    app.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('imported', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    found = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "imported []"


@pytest.mark.parametrize("command", list(app.COMMANDS))
def test_help_of_every_command(meshkit: Meshkit, command: str) -> None:
    """Each command explains itself, with an example or with commands of its own."""
    result = meshkit(command, "--help")
    assert result.code == 0
    assert result.err == ""
    assert f"Usage: meshkit {command}" in result.out
    assert "Example" in result.out or "Commands" in result.out


def test_help_lists_every_command(meshkit: Meshkit) -> None:
    """The table is what there is."""
    out = meshkit("--help").out
    assert all(f"  {command} " in out for command in app.COMMANDS)


def test_version(meshkit: Meshkit) -> None:
    """The version, and nothing else."""
    assert meshkit("--version").out.startswith("meshkit ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["federat"], ["federat", "did you mean", "federate"], id="a typing error"),
        pytest.param(["frobnicate"], ["frobnicate"], id="a command that does not exist"),
        pytest.param(["--wrong"], ["--wrong"], id="an option that does not exist"),
    ],
)
def test_unknown(meshkit: Meshkit, arguments: list[str], words: list[str]) -> None:
    """What does not exist is quoted, with what may have been meant and where help is."""
    result = meshkit(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("meshkit: error: no such ")
    assert all(word in result.err.lower() for word in words)
    assert "meshkit: hint: meshkit --help" in result.err


@pytest.mark.parametrize(
    ("raised", "code", "lines"),
    [
        pytest.param(
            MeshkitError("it broke", hint="mend it", detail="helm said no\n"),
            1,
            ["meshkit: error: it broke", "  helm said no", "meshkit: hint: mend it"],
            id="an error with evidence and hint",
        ),
        pytest.param(MeshkitError("it broke"), 1, ["meshkit: error: it broke"], id="an error without either"),
        pytest.param(
            CombinedError("2 of 2 failed", (MeshkitError("aks: a", "x", "log"), MeshkitError("eks: b"))),
            1,
            ["meshkit: error: 2 of 2 failed", "  - aks: a", "      log", "    hint: x", "  - eks: b"],
            id="several errors",
        ),
        pytest.param(
            ValueError("seCret"),
            1,
            [
                "meshkit: error: an error that meshkit does not know: ValueError",
                "meshkit: hint: this is a bug: run again with meshkit --verbose and report what it prints",
            ],
            id="a bug shows its kind, and not its text, which may quote anything",
        ),
        pytest.param(
            KeyboardInterrupt(),
            130,
            [
                "meshkit: error: interrupted",
                "meshkit: hint: run the same command again: it goes on where this one stopped",
            ],
            id="Ctrl-C",
        ),
    ],
)
def test_errors(
    meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, lines: list[str]
) -> None:
    """Whatever happens ends in these lines and this code."""

    def fail() -> tuple[str, ...]:
        raise raised

    monkeypatch.setattr(state, "known", fail)
    result = meshkit("status")
    assert result.code == code
    assert result.err.splitlines() == lines
    assert result.out == ""


def test_verbose(meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --verbose the place of the error is shown too."""

    def fail() -> tuple[str, ...]:
        raise MeshkitError("it broke")

    monkeypatch.setattr(state, "known", fail)
    result = meshkit("--verbose", "status")
    assert result.err.startswith("meshkit: error: it broke\nTraceback")


@pytest.mark.parametrize(
    ("variable", "flag", "coloured"),
    [
        pytest.param("", True, True, id="a terminal gets colours"),
        pytest.param("1", True, False, id="NO_COLOR switches them off"),
        pytest.param("", False, False, id="--no-color does too"),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, *, flag: bool, coloured: bool
) -> None:
    """Colours are only for terminals, and only when wanted."""
    monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setenv("TERM", "xterm")
    styled: list[str] = []
    plain = typer.style

    def style(*args: Any, **options: Any) -> str:
        styled.append(args[0])
        return plain(*args, **options)

    monkeypatch.setattr(typer, "style", style)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    console.configure(color=flag, quiet=False, verbose=False)
    console.print_error(MeshkitError("it broke"))
    console.configure(color=True, quiet=False, verbose=False)
    assert bool(styled) is coloured
    assert "it broke" in capsys.readouterr().err


def test_no_colours_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not a terminal gets plain text."""
    console.print_error(MeshkitError("it broke", hint="mend it"))
    assert capsys.readouterr().err == "meshkit: error: it broke\nmeshkit: hint: mend it\n"


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as their widest cell, and no line ends in blanks."""
    console.print_table(("name", "state"), [("aks", "ok"), ("a-longer-one", "")])
    assert capsys.readouterr().out == "NAME          STATE\naks           ok\na-longer-one\n"
