"""The Envoys of a path, read through a forward to their admin before and after the tagged request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from meshkit.backends.base import Kube
from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.federation.together import together
from meshkit.trace import envoy
from meshkit.trace.evidence import Pod
from meshkit.trace.proxy import Proxy

ANSWER_S = 4.0
"""An admin answers within milliseconds; the rest is the way through the API server."""

READY = b"GET /ready HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
LINES = 50
Counters = Mapping[str, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where an Envoy runs; ``name`` is how it is called when it can't be seen."""

    name: str
    datacenter: str
    pod: Pod


def before(context: Context, places: Mapping[str, Place]) -> tuple[dict[str, Counters], dict[str, str]]:
    """The counters of each place, all read at the same time."""
    looks: dict[str, Callable[[], Any]] = {
        key: partial(_counters, context.kube[place.datacenter], place) for key, place in places.items()
    }
    answers, unseen = together(context.clock, looks, ANSWER_S)
    return answers, {places[key].name: why for key, why in unseen.items()}


def after(
    context: Context, places: Mapping[str, Place], earlier: Mapping[str, Counters], began: datetime
) -> tuple[dict[str, Proxy], dict[str, str]]:
    """Each Envoy whole, with what its counters grew by since ``earlier``, and its access log since ``began``."""
    looks: dict[str, Callable[[], Any]] = {
        key: partial(_whole, context, place, earlier[key], began) for key, place in places.items()
    }
    answers, unseen = together(context.clock, looks, ANSWER_S)
    return answers, {places[key].name: why for key, why in unseen.items()}


def _counters(kube: Kube, place: Place) -> Counters:
    return _parsed(place, lambda: envoy.counters(_get(kube, place, (envoy.STATS,))[0]))


def _whole(context: Context, place: Place, earlier: Counters, began: datetime) -> Proxy:
    kube = context.kube[place.datacenter]
    paths = (envoy.STATS, envoy.SERVER_INFO, envoy.CERTS, envoy.CLUSTERS, envoy.CONFIG)
    stats, *rest = _get(kube, place, paths)

    def read() -> Proxy:
        now = envoy.counters(stats)
        answers = envoy.Answers(*(envoy.document(text) for text in rest))
        return envoy.proxy(place.pod.name, answers, earlier, now)

    return replace(_parsed(place, read), flags=envoy.flags(_log(kube, place), began), skew_s=_skew(context, place))


def _skew(context: Context, place: Place) -> float | None:
    """How far an Envoy's clock is ahead of this machine's: it dates its answers, to the second."""
    kube = context.kube[place.datacenter]
    try:
        reply = kube.loopback_send(place.pod.name, place.pod.namespace, envoy.ADMIN_PORT, READY, ANSWER_S)
    except (MeshkitError, OSError):
        return None  # what it counted is there, and worth more
    date = envoy.date(reply.data)
    return (date - context.clock.now()).total_seconds() if date else None


def _log(kube: Kube, place: Place) -> str:
    """What the Envoy's container wrote last; its access log is among it where Consul's proxy-defaults ask for one."""
    for name in envoy.CONTAINERS:
        if name in place.pod.containers:
            try:
                return kube.logs(place.pod.name, place.pod.namespace, name, lines=LINES)
            except MeshkitError:
                return ""  # no leave to read logs; the counters are there
    return ""


def _get(kube: Kube, place: Place, paths: tuple[str, ...]) -> list[str]:
    return list(kube.loopback_get(place.pod.name, place.pod.namespace, envoy.ADMIN_PORT, paths))


def _parsed(place: Place, read: Callable[[], T]) -> T:
    """What answers on the admin's port may be anything."""
    try:
        return read()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"what answers on port {envoy.ADMIN_PORT} of pod {place.pod.name} is not Envoy's admin"
        raise MeshkitError(f"{place.datacenter}: {what}", detail=repr(error)) from error
