"""Arguments of the command line to a Federation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshkit.config import from_arguments
from meshkit.errors import UsageError


def test_the_first_cluster_is_primary() -> None:
    """As long as nobody says otherwise."""
    federation = from_arguments(["aks", "eks", "gke"])
    assert [dc.name for dc in federation.datacenters] == ["aks", "eks", "gke"]
    assert federation.primary.name == "aks"


def test_primary_names_a_later_cluster() -> None:
    """The order of the clusters stays."""
    federation = from_arguments(["aks", "eks"], primary="eks")
    assert [(dc.name, dc.primary) for dc in federation.datacenters] == [("aks", False), ("eks", True)]


def test_options_hold_for_every_datacenter() -> None:
    """servers, gateways and namespace reach each of them."""
    federation = from_arguments(["aks", "eks"], servers=3, gateways=2, namespace="mesh", federation="shop")
    assert federation.name == "shop"
    assert {(dc.servers, dc.gateways, dc.namespace) for dc in federation.datacenters} == {(3, 2, "mesh")}


def test_a_name_before_the_context_is_the_datacenter() -> None:
    """Only the first equals sign separates: contexts may hold others."""
    federation = from_arguments(["prod=arn:aws:eks:eu-west-1:1:cluster/x", "b=user=me@host"])
    assert [(dc.name, dc.context) for dc in federation.datacenters] == [
        ("prod", "arn:aws:eks:eu-west-1:1:cluster/x"),
        ("b", "user=me@host"),
    ]


def test_a_chart_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later change of the working directory does not lose it."""
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("{name: consul, version: 1.9.11}")
    monkeypatch.chdir(tmp_path)
    assert from_arguments(["a", "b"], chart="chart").chart_path == str(tmp_path / "chart")


def test_a_known_federation_may_have_come_down_to_one_cluster() -> None:
    """It must be possible to repair it; a new one still needs two."""
    assert [dc.name for dc in from_arguments(["aks"], known=["mesh"]).datacenters] == ["aks"]
    for known, clusters in ((["shop"], ["aks"]), (["mesh"], [])):
        with pytest.raises(UsageError, match="two clusters or more"):
            from_arguments(clusters, known=known)


WRONG: dict[str, tuple[list[str], dict[str, Any], str, str]] = {
    "no cluster": ([], {}, "two clusters or more, not 0", "get-contexts"),
    "a single cluster": (["aks"], {}, "two clusters or more, not 1", "get-contexts"),
    "the same cluster twice": (["aks", "aks"], {}, "cluster aks is named twice", "once"),
    "one context under two names": (["a=x", "b=x"], {}, "context x is that of datacenter a already", "of its own"),
    "one name for two contexts": (["a=x", "a=y"], {}, "x and y would both be datacenter a", "a-2=y"),
    "two contexts whose clusters share a name": (
        ["me@prod", "you@prod"],
        {},
        "me@prod and you@prod would both be datacenter prod",
        "prod-2=you@prod",
    ),
    "a name with dots": (["prod.eu=x", "b"], {}, 'the name "prod.eu" is not legal', "prod-eu would be"),
    "a name in upper case": (["AKS=x", "b"], {}, 'the name "AKS" is not legal', "aks would be"),
    "a name with an underscore": (["a_b=x", "b"], {}, 'the name "a_b" is not legal', "a-b would be"),
    "a name that is too long": (["a" * 41 + "=x", "b"], {}, "at most 40", "would be"),
    "an empty name": (["=x", "b", "c"], {}, '"=x": expected CONTEXT or NAME=CONTEXT', "aks=my-context"),
    "an empty context": (["a=", "b", "c"], {}, '"a=": expected CONTEXT or NAME=CONTEXT', "aks=my-context"),
    "an unknown primary": (["a", "b"], {"primary": "c"}, '--primary: no datacenter is named "c"', "there are a, b"),
    "two servers": (["a", "b"], {"servers": 2}, "--servers: expected 1, 3 or 5, not 2", ""),
    "no gateway": (["a", "b"], {"gateways": 0}, "--gateways: expected a whole number from 1 to 20, not 0", ""),
    "too many gateways": (["a", "b"], {"gateways": 21}, "--gateways: expected a whole number from 1 to 20", ""),
    "a namespace that is no label": (["a", "b"], {"namespace": "My_NS"}, "--namespace: expected a namespace", ""),
    "a namespace that is too long": (["a", "b"], {"namespace": "n" * 64}, "at most 63", ""),
    "a federation that is no label": (["a", "b"], {"federation": "../x"}, "--federation: expected lower-case", ""),
    "a federation without a name": (["a", "b"], {"federation": ""}, "--federation: expected lower-case", ""),
    "a chart that is not there": (
        ["a", "b"],
        {"chart": "/no/chart"},
        "--chart: expected light, hashicorp, or the folder",
        "",
    ),
    "the home of nobody as a chart": (["a", "b"], {"chart": "~nobody-at-all/x"}, "--chart: expected light", ""),
    "a version that is not known": (
        ["a", "b"],
        {"chart_version": "1.2.0"},
        "--chart-version: meshkit is not",
        "1.9.0 to",
    ),
    "a repository that is no URL": (
        ["a", "b"],
        {"chart_repo": "hashicorp"},
        "--chart-repo: expected a URL",
        "HashiCorp",
    ),
    "a context that moves the cursor": (["a", "b=\x1b[2J"], {}, "expected a context of the kubeconfig", ""),
}


@pytest.mark.parametrize(("clusters", "options", "message", "hint"), WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_one_clear_line(
    clusters: list[str], options: dict[str, Any], message: str, hint: str
) -> None:
    """Exit code 2, the place and what is expected, with a hint and no second line."""
    with pytest.raises(UsageError) as caught:
        from_arguments(clusters, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert not caught.value.detail


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody wants to learn of the second mistake after mending the first."""
    with pytest.raises(UsageError) as caught:
        from_arguments(["A=x", "b"], servers=4, primary="c")
    assert caught.value.message == "arguments: 3 problems"
    assert [line.partition(":")[0] for line in caught.value.detail.splitlines()] == [
        "--servers",
        'the name "A" is not legal',
        "--primary",
    ]


def test_terminal_escapes_are_not_passed_on() -> None:
    """A name from outside can't write to the terminal through an error."""
    with pytest.raises(UsageError) as caught:
        from_arguments(["\x1b[2J=x", "b"])
    assert caught.value.message.isprintable()
