"""Tags on the command line and in the file: what they mean, and every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit.config import tags
from meshkit.errors import UsageError


@pytest.fixture
def file(state_root: Path) -> Path:
    """Where the file is looked for."""
    found = tags.path()
    assert found.parent.parent == state_root.parent
    found.parent.mkdir()
    return found


def test_no_file() -> None:
    """Most machines have none."""
    assert tags.load() == {}


def test_the_file(file: Path) -> None:
    """Contexts with their tags; an ARN is a key like any other."""
    file.write_text('prod-eu: {env: prod, team: payments}\n"arn:aws:eks:eu-west-1:1:cluster/a": {env: "2"}\n')
    assert tags.load() == {
        "prod-eu": {"env": "prod", "team": "payments"},
        "arn:aws:eks:eu-west-1:1:cluster/a": {"env": "2"},
    }


@pytest.mark.parametrize(
    ("variable", "value", "where"),
    [
        ("XDG_CONFIG_HOME", "/x", "/x/meshkit/tags.yaml"),
        ("HOME", "/home/me", "/home/me/.config/meshkit/tags.yaml"),
        ("MESHKIT_CONFIG_DIR", "/own", "/own/tags.yaml"),
    ],
)
def test_where_it_is(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, where: str) -> None:
    """As with the state directory."""
    for name in ("MESHKIT_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert str(tags.path()) == where


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("- prod", "1: expected a mapping from contexts", id="a list"),
        pytest.param("a: {env: prod}\nb: prod", "2: b: expected a mapping of tags", id="a text for tags"),
        pytest.param("a:\n  env: true\n", '2: a.env: expected a text; "true"', id="a switch"),
        pytest.param("a: {env: [x]}", "a.env: expected a text", id="a list for a value"),
        pytest.param("a: {env: x}\na: {env: y}", "2: a", id="a context twice"),
        pytest.param("a: {", "broken YAML", id="no YAML"),
        pytest.param("", "the file is empty", id="an empty file"),
    ],
)
def test_a_wrong_file(file: Path, text: str, says: str) -> None:
    """File and line, and a hint with an example."""
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        tags.load()
    assert caught.value.message.startswith(str(file))
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("selectors", "asked"),
    [
        (["env=prod"], {"env": "prod"}),
        (["env"], {"env": None}),
        (["env="], {"env": ""}),
        (["a=b=c", "x/y=z", "a=b=c"], {"a": "b=c", "x/y": "z"}),
        ([], {}),
    ],
)
def test_selectors(selectors: list[str], asked: dict[str, str | None]) -> None:
    """NAME=VALUE, or NAME for any value."""
    assert tags.wanted(selectors) == asked


@pytest.mark.parametrize("selectors", [["=prod"], [""], [" =x"], ["env=a", "env=b"], ["env", "env=b"]])
def test_wrong_selectors(selectors: list[str]) -> None:
    """What can fit nothing is refused with the form."""
    with pytest.raises(UsageError) as caught:
        tags.wanted(selectors)
    assert "--tag env=prod" in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "fits"),
    [({}, True), ({"env": "prod"}, True), ({"env": None}, True), ({"env": "test"}, False), ({"team": None}, False)],
)
def test_fits(asked: dict[str, str | None], *, fits: bool) -> None:
    """All that is asked for has to be there."""
    assert tags.fits({"env": "prod", "zone": "a"}, asked) is fits
