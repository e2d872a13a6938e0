"""From what a cluster, or only its entry in the kubeconfig, shows to the platform it runs on.

Evidence has a weight. What the platform itself puts into the API (groups, its suffix of the version) goes before what
its nodes carry, and that before the machines they run on: k3s on a cloud's machines is k3s, OpenShift on AWS is
OpenShift. The kubeconfig comes last, for it is all there is before a cluster answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

from meshkit.kubernetes import Manifest
from meshkit.platforms.catalogue import LoadBalancer, Platform, catalogue

REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
"""The labels of Kubernetes itself, where no platform says otherwise."""


@dataclass(frozen=True)
class Signs:
    """What is seen of one cluster; any of it may be missing. ``login`` is the program that logs in."""

    groups: Collection[str] = ()
    version: str = ""
    nodes: Sequence[Manifest] = ()
    server: str = ""
    context: str = ""
    login: str = ""


Matches = Callable[[Platform, Signs], bool]


def platform(signs: Signs) -> Platform | None:
    """The platform by the weightiest evidence, None when nothing tells."""
    known = catalogue().platforms.values()
    return next((found for matches in _EVIDENCE for found in known if matches(found, signs)), None)


def load_balancer(found: Platform | None, groups: Collection[str]) -> LoadBalancer | None:
    """Who answers Services here; None when nobody is known to. An unknown platform may have any."""
    balancers = catalogue().load_balancers
    keys: Iterable[str] = found.balancers if found else ("any",)
    return next((balancers[key] for key in keys if not balancers[key].group or balancers[key].group in groups), None)


def region(nodes: Sequence[Manifest], found: Platform | None) -> str:
    """The region of most nodes, empty where they name none."""
    label = found.region if found else REGION
    counted = Counter(place for node in nodes if (place := _labels(node).get(label)))
    return counted.most_common(1)[0][0] if counted else ""


def zones(nodes: Sequence[Manifest], found: Platform | None) -> tuple[str, ...]:
    """The zones that nodes are in, sorted."""
    label = found.zone if found else ZONE
    return tuple(sorted({place for node in nodes if (place := _labels(node).get(label))}))


def cluster_name(context: str) -> str:
    """What people call the cluster of a context that a platform's tool wrote; empty for any other form."""
    forms = (form for found in catalogue().platforms.values() for form in found.evidence.contexts)
    return next((match["name"] for form in forms if (match := form.fullmatch(context))), "")


def _by_group(found: Platform, signs: Signs) -> bool:
    return any(group in signs.groups for group in found.evidence.groups)


def _by_version(found: Platform, signs: Signs) -> bool:
    return bool(found.evidence.version) and found.evidence.version in signs.version


def _by_label(found: Platform, signs: Signs) -> bool:
    return any(label in _labels(node) for node in signs.nodes for label in found.evidence.labels)


def _by_provider(found: Platform, signs: Signs) -> bool:
    ids = [str((node.get("spec") or {}).get("providerID") or "") for node in signs.nodes]
    return any(held.startswith(prefix) for held in ids for prefix in found.evidence.providers)


def _by_server(found: Platform, signs: Signs) -> bool:
    try:
        host = urlsplit(signs.server).hostname or ""
    except ValueError:
        return False
    return bool(host and found.evidence.server and found.evidence.server.search(host))


def _by_context(found: Platform, signs: Signs) -> bool:
    return any(form.fullmatch(signs.context) for form in found.evidence.contexts)


def _by_login(found: Platform, signs: Signs) -> bool:
    return bool(signs.login) and PurePath(signs.login).name in found.evidence.plugins


_EVIDENCE: Sequence[Matches] = (_by_group, _by_version, _by_label, _by_provider, _by_server, _by_context, _by_login)


def _labels(node: Manifest) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}
