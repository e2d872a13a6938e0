"""README.md and its like say what is true: commands parse, files exist, links lead somewhere, help is as shown.

Commands are parsed and not run: an option that was renamed, or a command that went, fails here.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from meshkit import config
from meshkit.cli.app import app
from meshkit.config import probes

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (
    "README.md",
    "CHANGELOG.md",
    "certs/README.md",
    "charts/consul/README.md",
    "charts/mesh-probe/README.md",
    "charts/mesh-probe-schedule/README.md",
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
SCRIPT = re.compile(r"\bscripts/[a-z][-\w]*")
ENDS = frozenset({"|", "||", "&&", ";", ">", ">>", "<", "&"})
"""Shell words after which another command, or a file's name, follows."""

EAGER = frozenset({"--install-completion", "--show-completion", "--version", "--help"})
"""Options that act while they are parsed; that they exist is seen in the help."""


def blocks(kind: str) -> Iterator[str]:
    """The README's fenced blocks of one language."""
    return (text for language, text in BLOCK.findall(README) if language == kind)


def words_of(line: str) -> list[str]:
    """A shell line's words, operators as words of their own, comments left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def commands() -> Iterator[list[str]]:
    """Every ``meshkit ...`` of the shell blocks, and of code in text that is more than a command's name."""
    lines = [line for text in blocks("sh") for line in text.replace("\\\n", " ").splitlines()]
    lines += [code for code in re.findall(r"`(meshkit [^`\s]+ [^`\n]+)`", README) if "..." not in code]
    for line in lines:
        found: list[str] = []
        for word in [*words_of(line), ";"]:
            if word in ENDS:
                if found[:1] == ["meshkit"]:
                    yield found[1:]
                found = []
            else:
                found.append(word)


def parse(arguments: list[str]) -> None:
    """Parse as the command line does, down to the leaf; raises what the option parser raises."""
    command, context = typer.main.get_command(app), None
    rest = [argument for argument in arguments if argument not in EAGER]
    if not rest:
        return
    name = "meshkit"
    while True:
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        left = [*context._protected_args, *context.args]
        if not left and command.invoke_without_command:
            return
        found, command, rest = command.resolve_command(context, left)
        assert command is not None
        name = str(found)


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_a_command_of_the_readme_parses(arguments: list[str]) -> None:
    """Every command and option that the README shows exists."""
    parse(arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(["federat", "aks", "eks"], id="a command that does not exist"),
        pytest.param(["federate", "aks", "--server", "3"], id="an option that does not exist"),
        pytest.param(["lab", "cut", "aks"], id="an argument too few"),
        pytest.param(["check", "--output", "yaml"], id="a value that is not a choice"),
    ],
)
def test_what_is_not_a_command_does_not_parse(wrong: list[str]) -> None:
    """The test above can fail."""
    with pytest.raises(typer.TyperException):
        parse(wrong)


def test_the_readme_shows_every_command() -> None:
    """A command that nobody is told of might as well not be there."""
    shown = {arguments[0] for arguments in commands()}
    assert set(typer.main.get_command(app).list_commands(None)) <= shown  # type: ignore[attr-defined, arg-type]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_scripts_that_are_named_exist(name: str) -> None:
    """No document sends its reader to a script that is not there."""
    named = set(SCRIPT.findall((ROOT / name).read_text(encoding="utf-8")))
    assert {script for script in named if not (ROOT / script).is_file()} == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_lead_somewhere(name: str) -> None:
    """Relative links are relative to the document that has them."""
    document = ROOT / name
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def documents(*, probes: bool) -> list[str]:
    """The README's YAML: files for ``probe schedule``, or for ``federate``."""
    return [text for text in blocks("yaml") if text.startswith("probes:") == probes]


@pytest.mark.parametrize("text", documents(probes=False), ids=lambda text: text.partition("\n")[0])
def test_a_mesh_yaml_of_the_readme_is_valid(text: str, tmp_path: Path) -> None:
    """A file copied from the README is taken as it is."""
    file = tmp_path / "mesh.yaml"
    file.write_text(text)
    assert len(config.load(file).datacenters) > 1


def test_the_probes_yaml_of_the_readme_is_valid(tmp_path: Path) -> None:
    """So is one for a schedule."""
    (text,) = documents(probes=True)
    file = tmp_path / "probes.yaml"
    file.write_text(text)
    assert len(probes.load(str(file), ["aks", "eks"])) > 1


def test_the_help_in_the_readme_is_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader sees is what the program prints, on a terminal of 80 columns."""
    shown = next(text for text in blocks("text") if text.startswith("$ meshkit --help\n"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'meshkit'; from meshkit.cli.app import main; main()", "-h"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == shown.removeprefix("$ meshkit --help\n").strip()
