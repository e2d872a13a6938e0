"""Options: the passphrase is never an argument, and a question needs somebody to answer it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer

from meshkit.cli import options
from meshkit.errors import UsageError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"open sesame\n", b"open sesame", id="the newline that an editor adds is not part of it"),
        pytest.param(b"open sesame\r\n", b"open sesame", id="nor is Windows'"),
        pytest.param(b" open \n", b" open ", id="blanks are"),
        pytest.param(b"open", b"open", id="no newline"),
    ],
)
def test_passphrase_file(tmp_path: Path, content: bytes, expected: bytes) -> None:
    """The file's content without its last newline; the environment does not matter then."""
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    assert options.read_passphrase(file, {"MESHKIT_CA_PASSPHRASE": "other"}) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"MESHKIT_CA_PASSPHRASE": "open"}, b"open", id="from the environment"),
        pytest.param({"MESHKIT_CA_PASSPHRASE": ""}, None, id="an empty one is none"),
        pytest.param({}, None, id="none"),
    ],
)
def test_passphrase_from_the_environment(environment: dict[str, str], expected: bytes | None) -> None:
    """Without a file the environment decides."""
    assert options.read_passphrase(None, environment) == expected


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_empty_passphrase_file(tmp_path: Path, content: bytes) -> None:
    """An empty file would mean a key without protection, which nobody asked for."""
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(UsageError, match="is empty"):
        options.read_passphrase(tmp_path / "p", {})


def test_missing_passphrase_file(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(UsageError, match="nowhere can't be read"):
        options.read_passphrase(tmp_path / "nowhere", {})


@pytest.mark.parametrize("answer", [True, False])
def test_confirm(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> None:
    """On a terminal the user is asked, and a no ends the command."""

    def confirm(question: str, *, abort: bool, err: bool) -> None:
        assert (question, abort, err) == ("really?", True, True)
        if not answer:
            raise typer.Abort

    monkeypatch.setattr(typer, "confirm", confirm)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    if answer:
        options.confirm("really?", yes=False)
    else:
        with pytest.raises(typer.Abort):
            options.confirm("really?", yes=False)


def test_confirm_with_yes() -> None:
    """With --yes nobody is asked."""
    options.confirm("really?", yes=True)
