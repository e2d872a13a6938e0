"""``meshkit lab`` as it is typed: what each call asks of the lab, and what a wrong one says beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meshkit.cli import lab as command
from meshkit.cli import lab_views
from meshkit.errors import UsageError
from meshkit.events import Note, Observer
from meshkit.lab import lab, wan
from meshkit.lab.lab import ClusterStatus
from meshkit.lab.topology import Node

AKS, EKS = Node("aks", 1), Node("eks", 2)
LINKS = {("eks", "aks"): wan.Link(cut=True), ("aks", "eks"): wan.Link(0.035, 0.002, 0.001, 1400)}
CLUSTERS = (ClusterStatus("aks", "10.99.1.1", ready=True, processes=11, logs=Path("/logs")),)


class FakeLab:
    """Notes what it is asked; every cluster is there."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def up(self, names: Sequence[str], change: wan.LinkChange, observe: Observer) -> None:
        observe(Note("up"))
        self.calls.append(("up", list(names), change))

    def down(self, names: Sequence[str], observe: Observer) -> tuple[str, ...]:
        observe(Note("down"))
        self.calls.append(("down", list(names)))
        return tuple(names)

    def build_tools(self, observe: Observer) -> None:
        observe(Note("tools"))
        self.calls.append(("tools",))

    def load(self, files: Sequence[Path], names: Sequence[str], observe: Observer) -> None:
        observe(Note("load"))
        self.calls.append(("load", [str(file) for file in files], list(names)))

    def pair(self, a: str, b: str) -> tuple[Node, Node]:
        return {"aks": AKS, "eks": EKS}[a], {"aks": AKS, "eks": EKS}[b]

    def set_link(self, a: Node, b: Node, change: wan.LinkChange) -> None:
        self.calls.append(("link", a, b, change))

    def cut(self, a: Node, b: Node, *, one_way: bool) -> None:
        self.calls.append(("cut", a, b, one_way))

    def heal(self, a: Node, b: Node) -> None:
        self.calls.append(("heal", a, b))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    """In place of the real lab."""
    made = FakeLab()
    for name in ("up", "down", "build_tools", "load", "pair"):
        monkeypatch.setattr(lab, name, getattr(made, name))
    for name in ("set_link", "cut", "heal"):
        monkeypatch.setattr(wan, name, getattr(made, name))
    monkeypatch.setattr(lab, "status", lambda: CLUSTERS)
    monkeypatch.setattr(wan, "links", lambda: LINKS)
    monkeypatch.setattr(wan, "is_running", lambda: True)
    return made


def run(*words: str) -> str:
    """What a call prints on stdout; its error is raised as the root command would meet it."""
    result = CliRunner().invoke(command.app, list(words), standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


@pytest.mark.parametrize(
    ("words", "call"),
    [
        pytest.param("up aks eks", ("up", ["aks", "eks"], wan.LinkChange()), id="up without options changes no link"),
        pytest.param(
            "up aks eks --delay 35ms --jitter 2ms --loss 0.1% --mtu 1400",
            ("up", ["aks", "eks"], wan.LinkChange(0.035, 0.002, 0.001, 1400)),
            id="up with all of them",
        ),
        pytest.param("up aks eks --loss 0%", ("up", ["aks", "eks"], wan.LinkChange(loss=0.0)), id="zero is a value"),
        pytest.param("down", ("down", []), id="down without a name is all"),
        pytest.param("down eks", ("down", ["eks"]), id="down of one"),
        pytest.param("link aks eks --delay 80ms", ("link", AKS, EKS, wan.LinkChange(delay_s=0.08)), id="link"),
        pytest.param("cut aks eks", ("cut", AKS, EKS, False), id="cut"),
        pytest.param("cut eks aks --one-way", ("cut", EKS, AKS, True), id="cut of one way keeps the order"),
        pytest.param("heal aks eks", ("heal", AKS, EKS), id="heal"),
        pytest.param("tools", ("tools",), id="tools"),
        pytest.param("load a.tar b.tar", ("load", ["a.tar", "b.tar"], []), id="load into every cluster"),
        pytest.param(
            "load a.tar --cluster aks --cluster eks", ("load", ["a.tar"], ["aks", "eks"]), id="load into some"
        ),
    ],
)
def test_a_call_asks_the_lab_for_just_that(fake: FakeLab, words: str, call: tuple[Any, ...]) -> None:
    """One request, and nothing on stdout but data."""
    stdout = run(*words.split())
    assert fake.calls == [call]
    assert stdout == "" or words.startswith("link")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("up aks --delay 35", "'35' is not a delay"),
        ("up aks --jitter -1ms", "'-1ms' is not a delay"),
        ("up aks --loss 200%", "'200%' is not a loss"),
        ("link aks eks --mtu 9000", "'9000' is not an MTU"),
    ],
)
def test_a_wrong_option_is_refused_before_the_lab_is_asked(fake: FakeLab, words: str, message: str) -> None:
    """By its value, with an example of a right one."""
    with pytest.raises(UsageError, match=message) as raised:
        run(*words.split())
    assert raised.value.hint
    assert fake.calls == []


def test_link_without_options_shows_both_directions(fake: FakeLab) -> None:
    """And changes nothing."""
    lines = run("link", "aks", "eks").splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["aks", "eks", "open", "35", "ms", "2", "ms", "0.1%", "1400"],
        ["eks", "aks", "cut", "0", "ms", "0", "ms", "0%", "1500"],
    ]
    assert fake.calls == []


def test_status_for_programs_has_clusters_and_links(fake: FakeLab) -> None:
    """In seconds, fractions and bytes; a script can tell a cut link."""
    del fake
    document = json.loads(run("status", "--output", "json"))
    assert document == lab_views.document(CLUSTERS, LINKS)
    assert document["clusters"][0] == {
        "name": "aks",
        "address": "10.99.1.1",
        "ready": True,
        "processes": 11,
        "logs": "/logs",
    }
    assert [(link["from"], link["cut"], link["delay_s"]) for link in document["links"]] == [
        ("aks", False, 0.035),
        ("eks", True, 0.0),
    ]


def test_status_of_a_lab_without_wan_still_shows_its_clusters(fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-started labs are what status is for."""
    del fake
    monkeypatch.setattr(wan, "is_running", lambda: False)
    assert "10.99.1.1" in run("status")
    assert json.loads(run("status", "-o", "json"))["links"] == []


@pytest.mark.parametrize("name", ["up", "down", "status", "link", "cut", "heal", "load", "tools"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    """As everywhere in meshkit."""
    text = run(name, "--help")
    assert f"meshkit lab {name}" in text
    assert "Example" in text


def test_completion_offers_the_labs_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that begin as typed."""
    from meshkit.lab import register  # noqa: PLC0415 - patched where the command looks for it

    monkeypatch.setattr(register, "known", lambda: (AKS, EKS))
    assert command._clusters("a") == ["aks"]
    assert command._clusters("") == ["aks", "eks"]
