"""Clusters as people type them: whole contexts, platforms, names and parts; what fits several is refused with all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshkit.cli import completion, contexts
from meshkit.errors import UsageError

ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"
GKE = "gke_shop-123_europe-west1-b_prod"
SERVERS = {
    "shop-aks": "https://shop-1a2b.hcp.westeurope.azmk8s.io:443",
    ARN: "https://AB12.gr7.eu-west-1.eks.amazonaws.com",
    GKE: "https://203.0.113.9",
    "kind-dev": "https://127.0.0.1:6443",
    "aks-test": "https://192.0.2.1:6443",
}


def write(path: Path, servers: dict[str, str]) -> str:
    clusters = [{"name": f"c-{name}", "cluster": {"server": server}} for name, server in servers.items()]
    named = [{"name": name, "context": {"cluster": f"c-{name}", "user": "u"}} for name in servers]
    path.write_text(yaml.safe_dump({"clusters": clusters, "contexts": named, "users": [{"name": "u", "user": {}}]}))
    return str(path)


@pytest.fixture(autouse=True)
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each test finds unless it sets another; the fixture ``meshkit`` leaves it where it is."""
    monkeypatch.setenv("KUBECONFIG", write(tmp_path / "kubeconfig", SERVERS))


@pytest.mark.parametrize(
    ("word", "context"),
    [
        pytest.param("shop-aks", "shop-aks", id="a whole context"),
        pytest.param(ARN, ARN, id="an ARN"),
        pytest.param("aks", "shop-aks", id="the only AKS, though another context has the word in its name"),
        pytest.param("eks", ARN, id="the only EKS"),
        pytest.param("EKS", ARN, id="in capitals"),
        pytest.param("gke", GKE, id="the only GKE"),
        pytest.param("kind", "kind-dev", id="the only kind"),
        pytest.param("eu-west-1", ARN, id="a part of one"),
        pytest.param("europe-west1-b", GKE, id="a zone"),
        pytest.param("123456789012", ARN, id="an account"),
        pytest.param("aks-test", "aks-test", id="a whole context before any part"),
        pytest.param("nowhere", "nowhere", id="what fits none is left for whoever opens it"),
        pytest.param("de", "de", id="two letters are no part"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_which_context_is_meant(word: str, context: str) -> None:
    """The whole name first, then the platform, then the cluster's own name, then any part."""
    assert contexts.whole(word) == context


@pytest.mark.parametrize(
    ("word", "named"),
    [
        pytest.param("prod", f"{ARN}, {GKE}", id="two clusters of one name"),
        pytest.param("west", f"{ARN}, {GKE}", id="two contexts with one part"),
    ],
)
def test_what_fits_several(word: str, named: str) -> None:
    """All of them are listed."""
    with pytest.raises(UsageError, match="may mean 2 contexts") as caught:
        contexts.whole(word)
    assert caught.value.message.endswith(named)
    assert caught.value.hint


def test_two_of_one_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second EKS makes the word ambiguous; it is not the first one that is taken."""
    other = ARN.replace("prod", "stage")
    monkeypatch.setenv("KUBECONFIG", write(tmp_path / "config", SERVERS | {other: "https://192.0.2.2"}))
    with pytest.raises(UsageError, match=f'"eks" may mean 2 contexts: {ARN}, {other}'):
        contexts.whole("eks")


@pytest.mark.parametrize(
    ("clusters", "found"),
    [
        pytest.param(["shop-aks", ARN], ["shop-aks", ARN], id="whole contexts get their names as ever"),
        pytest.param(["aks", "eks"], ["aks=shop-aks", f"eks={ARN}"], id="short ones are called as they were typed"),
        pytest.param(["EKS"], [f"prod={ARN}"], id="what is no legal name is called as the cluster is"),
        pytest.param(["live=eks"], [f"live={ARN}"], id="a name of one's own stays"),
        pytest.param(["=eks"], [f"={ARN}"], id="an empty name stays for the rules to refuse"),
    ],
)
def test_names(clusters: list[str], found: list[str]) -> None:
    """The form is that of federate's arguments."""
    assert contexts.expanded(clusters) == found


@pytest.mark.parametrize("word", ["eks", ARN, "eu-west-1"])
def test_a_cluster_keeps_the_name_it_has(word: str) -> None:
    """However it is called now, it is the datacenter that it was."""
    assert contexts.expanded([word], {ARN: "shop"}) == [f"shop={ARN}"]


def test_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of KUBECONFIG count, of one name the first; broken and missing ones are passed over."""
    first = write(tmp_path / "first", {"one": "https://192.0.2.1"})
    second = write(tmp_path / "second", {"one": "https://192.0.2.9", "two": "https://192.0.2.2"})
    broken = tmp_path / "broken"
    broken.write_text("contexts: [")
    odd = tmp_path / "odd"
    odd.write_text("contexts: {a: b}\nclusters: [1, {name: 2}]\nusers: 5\n")
    everything = [first, "", str(broken), str(tmp_path / "missing"), str(odd), second]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(everything))
    found = contexts.entries()
    assert [(entry.name, entry.server, entry.file) for entry in found] == [
        ("one", "https://192.0.2.1", first),
        ("two", "https://192.0.2.2", second),
    ]
    assert completion.contexts("t") == ["two"]


def test_init(meshkit: Callable[..., Any]) -> None:
    """The file has the whole contexts."""
    result = meshkit("init", "aks", "eks")
    assert result.code == 0
    assert f'  eks:\n    context: "{ARN}"' in result.out


def test_ambiguous_on_the_command_line(meshkit: Callable[..., Any]) -> None:
    """One line that lists them, before anything is contacted."""
    result = meshkit("federate", "aks", "prod")
    assert result.code == 2
    assert f'error: "prod" may mean 2 contexts: {ARN}, {GKE}' in result.err


def test_tags_are_completed(state_root: Path) -> None:
    """Clouds, and what this machine's file has; nothing of a file that is broken."""
    assert completion.tags("cloud=a") == ["cloud=aks", "cloud=aws", "cloud=azure"]
    folder = state_root.parent / "config-dir"
    folder.mkdir()
    (folder / "tags.yaml").write_text("a: {env: prod}\nb: {env: test}")
    assert completion.tags("env") == ["env=prod", "env=test"]
    (folder / "tags.yaml").write_text("a: [")
    assert completion.tags("env") == []
