"""Clusters as people type them, to contexts of the kubeconfig.

A context of a cloud is long (an ARN), so that a short part of it will do where it fits one context alone: the platform
(``eks``), the cluster's own name, or any part. The whole name of a context always means that context, and what fits
none is left as it is, for whoever opens it to complain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from meshkit.backends.kubeconfig_entries import Entry, entries
from meshkit.config.names import datacenter_name, is_legal
from meshkit.errors import UsageError
from meshkit.platforms import recognise
from meshkit.platforms.catalogue import catalogue
from meshkit.platforms.recognise import Signs

SHORTEST = 3
"""Letters of a part: shorter ones fit by chance."""

Fits = Callable[[str, Entry], bool]


def expanded(clusters: Sequence[str], known: Mapping[str, str] | None = None) -> list[str]:
    """Arguments of the form ``CONTEXT`` or ``NAME=CONTEXT`` with whole contexts.

    A cluster without a name keeps the one it has (``known``: datacenters by context), else is called as it was typed.
    """
    listed = entries()
    return [_expanded(cluster, listed, known or {}) for cluster in clusters]


def whole(word: str, listed: Sequence[Entry] | None = None) -> str:
    """The context that a word means; UsageError lists them when it may mean several."""
    found = entries() if listed is None else listed
    if any(entry.name == word for entry in found):
        return word
    for fits in (_is_platform, _is_name, _is_part):
        named = [entry.name for entry in found if fits(word, entry)]
        if len(named) > 1:
            raise UsageError(
                f'"{word}" may mean {len(named)} contexts: {", ".join(named)}', hint="name more of it, or all"
            )
        if named:
            return named[0]
    return word


def platform(entry: Entry) -> str:
    """The platform of a context as far as the kubeconfig tells, empty when it does not."""
    found = recognise.platform(Signs(server=entry.server, context=entry.name, login=entry.login))
    return found.key if found else ""


def _expanded(cluster: str, listed: Sequence[Entry], known: Mapping[str, str]) -> str:
    name, equals, word = cluster.partition("=")
    if not equals:
        name, word = "", cluster
    context = whole(word, listed)
    if name or equals:
        return f"{name}={context}"
    if context in known:
        return f"{known[context]}={context}"
    if context == word:
        return word
    return f"{word if is_legal(word) else datacenter_name(context)}={context}"


def _is_platform(word: str, entry: Entry) -> bool:
    return word.lower() in catalogue().platforms and platform(entry) == word.lower()


def _is_name(word: str, entry: Entry) -> bool:
    return bool(word) and word in (recognise.cluster_name(entry.name), datacenter_name(entry.name))


def _is_part(word: str, entry: Entry) -> bool:
    return len(word) >= SHORTEST and word in entry.name
