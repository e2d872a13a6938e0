"""Every cluster of the kubeconfigs at once: what it is, where, and whether it can join a federation.

A cluster is judged by the rules of the preflight, as if it were to join alone, with its platform's chart. Tags are what
people and clouds have written on the cluster itself, so that everybody sees the same: labels that all nodes have in
common (clouds put those of node pools there), labels of the namespace kube-system (for the cluster as a whole), and
``cloud`` and ``region``. A file of this machine's own comes last and wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from meshkit.backends.base import Clock, Kube, Manifest, Ref
from meshkit.config.names import datacenter_name
from meshkit.consul.names import CONSUL_RELEASE
from meshkit.errors import ForbiddenError, MeshkitError
from meshkit.federation import facts, suitability
from meshkit.federation.facts import ClusterFacts, Marker
from meshkit.federation.state import State
from meshkit.federation.steps import leftovers, preflight
from meshkit.federation.together import together
from meshkit.model import DEFAULT_FEDERATION, OFFICIAL_CHART, Candidate, Datacenter, Federation
from meshkit.platforms import catalogue, recognise
from meshkit.platforms.recognise import Signs

_NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Inventory:
    """Where to look: how a context is opened, in which namespace federations are, and this machine's own tags.

    ``chart`` is the kind that is to be installed, empty where each cluster's platform decides.
    """

    open: Callable[[str], Kube]
    clock: Clock
    namespace: str
    tags: Mapping[str, Mapping[str, str]]
    timeout_s: float
    chart: str = ""

    def take(self, contexts: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Each of the contexts with what was seen of it within the deadline, all asked at the same time."""
        looks = {bare.context: partial(self._look, bare) for bare in contexts}
        seen, unseen = together(self.clock, looks, self.timeout_s)
        return tuple(
            seen.get(bare.context) or replace(bare, error=unseen[bare.context].removeprefix(f"{bare.context}: "))
            for bare in contexts
        )

    def _look(self, bare: Candidate) -> Candidate:
        kube = self.open(bare.context)
        version, groups = kube.version(), kube.api_groups()
        nodes, system = _readable(kube)
        platform = recognise.platform(Signs(groups, version, nodes, bare.server, bare.context))
        key = platform.key if platform else bare.platform
        region = recognise.region(nodes, platform)
        shown = {**_given(nodes, system), **self.tags.get(bare.context, {})}
        found = replace(
            bare,
            platform=key,
            region=region,
            zones=recognise.zones(nodes, platform),
            version=version,
            nodes=len(nodes),
            tags={"cloud": key, "region": region} | _common(nodes) | _labels(system) | shown,
            shown=shown,
        )
        return self._judged(kube, found)

    def _judged(self, kube: Kube, found: Candidate) -> Candidate:
        datacenter = Datacenter(
            datacenter_name(found.context),
            found.context,
            primary=True,
            namespace=self.namespace,
            platform=found.platform,
        )
        platform = catalogue.platform(found.platform)
        chart = self.chart or (platform and platform.chart) or OFFICIAL_CHART
        alone = Federation(DEFAULT_FEDERATION, (datacenter,), chart)
        seen = facts.observe(kube, datacenter, self.clock, official=alone.official)
        marker = seen.marker or (facts.read_marker(kube, seen.lives_in) if seen.lives_in else None)
        found = replace(found, uid=seen.uid)
        return _member(found, marker) if marker else replace(found, reason=_reason(kube, alone, seen))


def _member(found: Candidate, marker: Marker) -> Candidate:
    primary = next((dc.name for dc in marker.layout if dc.primary), "")
    return replace(
        found, federation=marker.federation, datacenter=marker.datacenter, primary=marker.datacenter == primary
    )


def _reason(kube: Kube, alone: Federation, seen: ClusterFacts) -> str:
    """The first of what stands in the way, and how many more there are."""
    datacenter, cluster = alone.primary, {alone.primary.name: seen}
    left = leftovers.look(kube, datacenter, partial(_is_installed, kube, datacenter)) if alone.official else None
    found = [
        *preflight.judge(cluster, State(DEFAULT_FEDERATION)),
        *suitability.problems(alone, cluster),
        *(leftovers.judge(left) if left else ()),
    ]
    lines = [problem.message.removeprefix(f"{datacenter.name}: ") for problem in found]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"{lines[0]}{more}" if lines else ""


def _is_installed(kube: Kube, datacenter: Datacenter) -> bool:
    """Whether Helm has Consul's release, by its own records: helm itself might ask somebody to log in."""
    return bool(kube.list("Secret", datacenter.namespace, selector=f"owner=helm,name={CONSUL_RELEASE}"))


def doubles(found: Sequence[Candidate], known: Collection[str] = ()) -> dict[str, str]:
    """Contexts that lead to the same cluster as another one, with that one.

    It is the one that is ``known``, else the first in whose way nothing stands.
    """
    first: dict[str, str] = {}
    for each in sorted(found, key=lambda each: (each.context not in known, bool(each.reason))):
        first.setdefault(each.uid, each.context)
    return {each.context: first[each.uid] for each in found if each.uid and first[each.uid] != each.context}


def each_once(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The same, where a cluster under two contexts can join under one alone."""
    same = doubles(found)
    return tuple(
        replace(each, reason=f"it is the same cluster as {same[each.context]}")
        if each.can_join and each.context in same
        else each
        for each in found
    )


def _readable(kube: Kube) -> tuple[Sequence[Manifest], Manifest]:
    """Nodes and kube-system as far as these credentials can see them; that they can't is part of the judgement."""
    try:
        nodes = kube.list("Node")
    except ForbiddenError:
        nodes = ()
    try:
        return nodes, kube.get(Ref("Namespace", "kube-system")) or {"metadata": {}}
    except ForbiddenError:
        return nodes, {"metadata": {}}


def _common(nodes: Sequence[Manifest]) -> dict[str, str]:
    """Labels that every node has with the same value."""
    each = [_labels(node) for node in nodes]
    return {k: v for k, v in each[0].items() if all(other.get(k) == v for other in each)} if each else {}


def _given(nodes: Sequence[Manifest], system: Manifest) -> dict[str, str]:
    """What people have written: clouds and Kubernetes put a domain before the names of theirs."""
    return {k: v for k, v in (_common(nodes) | _labels(system)).items() if "/" not in k}


def _labels(manifest: Manifest) -> dict[str, str]:
    labels = manifest["metadata"].get("labels") or {}
    return {str(k): str(v) for k, v in labels.items() if k != _NAME_LABEL}


def require_joinable(chosen: Sequence[Candidate], federation: str) -> None:
    """MeshkitError when a chosen cluster is away, in another federation, or can't join."""
    lines = [
        f"{each.context}: {why}"
        for each in chosen
        if (why := each.error or each.reason or _elsewhere(each, federation))
    ]
    if lines:
        raise MeshkitError(
            f"{len(lines)} of the {len(chosen)} clusters with these tags can't join {federation}",
            hint="mend these, or name the clusters yourself; meshkit discover shows all",
            detail="\n".join(lines),
        )


def _elsewhere(each: Candidate, federation: str) -> str:
    return f"in federation {each.federation} already" if each.federation not in ("", federation) else ""
