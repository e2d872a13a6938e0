"""What federate leaves to an upgrade: another version of the official chart, where there are servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.federation import described
from meshkit.federation.facts import ClusterFacts
from meshkit.federation.upgrade import needed
from meshkit.model import Federation

KNOWN = replace(described(), chart="hashicorp", chart_version="1.9.11")
FROM_A_PATH = replace(KNOWN, chart_path="/srv/consul-1.9.11.tgz")
SEEN = {name: ClusterFacts(name, "v1.34.4", name, 0.0, has_servers=True) for name in ("aks", "eks")}
EMPTY = {name: replace(facts, has_servers=False) for name, facts in SEEN.items()}

AKS, EKS = KNOWN.datacenters
HALF_WAY = replace(KNOWN, datacenters=(replace(AKS, consul_version="2.0.3", chart_version="2.0.3"), EKS))


def judged(federation: Federation, known: Federation | None, seen: dict[str, ClusterFacts]) -> list[tuple[str, str]]:
    """The problems' lines and hints."""
    return [(problem.message, problem.hint) for problem in needed.problems(federation, known, seen)]


@pytest.mark.parametrize(
    ("federation", "known", "seen"),
    [
        pytest.param(replace(KNOWN, chart_version="2.0.3"), None, EMPTY, id="a new federation"),
        pytest.param(KNOWN, KNOWN, SEEN, id="the same version again"),
        pytest.param(FROM_A_PATH, KNOWN, SEEN, id="the same version from another place"),
        pytest.param(replace(KNOWN, chart_version="2.0.3"), KNOWN, EMPTY, id="a run that ended before its servers"),
        pytest.param(replace(KNOWN, chart_version="2.0.3"), KNOWN, {}, id="clusters that do not answer"),
        pytest.param(HALF_WAY, HALF_WAY, SEEN, id="half way through an upgrade, which is left where it is"),
        pytest.param(replace(KNOWN, chart_version="2.0.3", gitops=True), KNOWN, SEEN, id="what GitOps rolls out"),
        pytest.param(KNOWN, replace(KNOWN, chart_version=""), SEEN, id="a description that does not say its version"),
        pytest.param(
            replace(described(), chart_version="0.2.0"), replace(described(), chart_version="0.1.0"), SEEN,
            id="the light chart, whose version is not Consul's",
        ),
    ],
)  # fmt: skip
def test_not_needed(federation: Federation, known: Federation | None, seen: dict[str, ClusterFacts]) -> None:
    """Federate does what is described."""
    assert judged(federation, known, seen) == []


@pytest.mark.parametrize(
    ("federation", "known", "names", "way"),
    [
        pytest.param(replace(KNOWN, chart_version="2.0.3"), KNOWN, "aks, eks", "--chart-version 2.0.3", id="later"),
        pytest.param(replace(KNOWN, chart_version="1.9.10"), KNOWN, "aks, eks", "--chart-version 1.9.10", id="older"),
        pytest.param(
            replace(KNOWN, chart_version="1.9.12", chart_path="/srv/n.tgz"), KNOWN, "aks, eks", "--chart /srv/n.tgz",
            id="an archive",
        ),
        pytest.param(
            replace(KNOWN, chart_version="2.0.3"), FROM_A_PATH, "aks, eks", "--chart PATH",
            id="without the archive that the upgrade needs",
        ),
        pytest.param(
            replace(KNOWN, chart_version="2.0.3"), HALF_WAY, "eks", "--chart-version 2.0.3",
            id="half way through an upgrade, which goes on by the hint",
        ),
        pytest.param(
            replace(KNOWN, name="shop", chart_version="2.0.3"), replace(KNOWN, name="shop"), "aks, eks",
            "--chart-version 2.0.3 --federation shop", id="a federation with a name",
        ),
    ],
)  # fmt: skip
def test_needed(federation: Federation, known: Federation, names: str, way: str) -> None:
    """One problem for all datacenters, with the way that proves each."""
    after = federation.chart_version
    assert judged(federation, known, SEEN) == [
        (
            f"{names}: the chart is 1.9.11, and {after} would come to all datacenters at once",
            f"one after the other: meshkit upgrade {way}",
        )
    ]


@pytest.mark.parametrize("gitops", [False, True], ids=["by federate", "by GitOps"])
def test_a_series_back(*, gitops: bool) -> None:
    """Nobody can bring it, so no upgrade is advised."""
    known = replace(KNOWN, chart_version="2.0.3", gitops=gitops)
    ((message, hint),) = judged(replace(known, chart_version="1.9.11"), known, SEEN)
    assert message.startswith("aks, eks: the chart is 2.0.3 and can't become 1.9.11: Consul can't go back from 2.0.3")
    assert hint.startswith("leave out its version, and 2.0.3 stays")
