"""One cluster as a support bundle shows it: versions, objects, events, and logs of its namespace."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from meshkit.backends.base import Manifest
from meshkit.consul.names import CONSUL_RELEASE, PROBE_RELEASE, SCHEDULE_RELEASE
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation.context import Context
from meshkit.federation.support import manifests
from meshkit.model import Datacenter
from meshkit.support.document import File, Gap

KINDS = (
    *("Pod", "StatefulSet", "Deployment", "ReplicaSet", "Job", "CronJob", "Service", "Endpoints", "ConfigMap"),
    *("PersistentVolumeClaim", "NetworkPolicy"),
)
RELEASES = (CONSUL_RELEASE, PROBE_RELEASE, SCHEDULE_RELEASE)
AT_ONCE = 8
"""Logs that are read at the same time from one API server."""


@dataclass(frozen=True)
class Log:
    """Which log: of a container, or of the one that was there before it."""

    pod: str
    container: str
    previous: bool


def gather(context: Context, dc: Datacenter, since_s: float) -> Iterator[File | Gap]:
    """A cluster's files; once it stops answering, one gap in place of the rest."""
    place = f"clusters/{dc.name}"
    kube = context.kube[dc.name]
    try:
        yield File(f"{place}/version.txt", "Kubernetes", f"{kube.version()}\ncontext {dc.context}\n")
        pods = yield from _of_namespace(context, dc, place)
        yield from _events(context, dc, place, since_s)
        yield File(f"{place}/images.txt", "images that run", _lines(_images(pods)))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from (file for file in pool.map(lambda log: _log(context, dc, log, since_s), _logs(pods)) if file)
    except UnreachableError as error:
        yield Gap(place, error.message)
    yield from _releases(context, dc, place)


def _of_namespace(context: Context, dc: Datacenter, place: str) -> Generator[File | Gap, None, Sequence[Manifest]]:
    """Its objects; returns the pods among them, none where they may not be read."""
    kube, pods = context.kube[dc.name], list[Manifest]()
    wanted = [("Node", ""), *((kind, dc.namespace) for kind in KINDS)]
    for kind, namespace in wanted:
        name = f"{place}/{_plural(kind)}.json"
        try:
            found = kube.list(kind, namespace)
        except UnreachableError:
            raise
        except MeshkitError as error:
            yield Gap(name, error.message)
        else:
            pods = list(found) if kind == "Pod" else pods
            yield File(name, _number(found, "object"), _json(manifests.shown(list(found))))
    try:
        listed = manifests.secrets(kube.list("Secret", dc.namespace))
        yield File(f"{place}/secrets.txt", "names and keys, nothing of their content", _lines(listed))
    except UnreachableError:
        raise
    except MeshkitError as error:
        yield Gap(f"{place}/secrets.txt", error.message)
    return pods


def _events(context: Context, dc: Datacenter, place: str, since_s: float) -> Iterator[File | Gap]:
    since = context.clock.now() - timedelta(seconds=since_s)
    try:
        found = list(manifests.events(context.kube[dc.name].list("Event", dc.namespace), since))
    except UnreachableError:
        raise
    except MeshkitError as error:
        yield Gap(f"{place}/events.txt", error.message)
    else:
        yield File(f"{place}/events.txt", _number(found, "event"), _lines(found))


def _images(pods: Sequence[Manifest]) -> Iterator[str]:
    for pod in pods:
        status = pod.get("status", {})
        for state in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            yield f"{pod['metadata']['name']}  {state['name']}  {state.get('image', '')}  {state.get('imageID', '')}"


def _logs(pods: Sequence[Manifest]) -> Iterator[Log]:
    for pod in pods:
        name, spec, status = pod["metadata"]["name"], pod.get("spec", {}), pod.get("status", {})
        restarted = {s["name"] for s in status.get("containerStatuses", ()) if s.get("restartCount")}
        for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
            yield Log(name, container["name"], previous=False)
            if container["name"] in restarted:
                yield Log(name, container["name"], previous=True)


def _log(context: Context, dc: Datacenter, log: Log, since_s: float) -> File | Gap | None:
    """None for a container that has said nothing."""
    name = f"{log.container}{'.before' if log.previous else ''}.log"
    path = f"clusters/{dc.name}/logs/{log.pod}/{name}"
    try:
        text = context.kube[dc.name].history(log.pod, dc.namespace, log.container, since_s, previous=log.previous)
    except MeshkitError as error:
        return Gap(path, error.message)
    return File(path, _number(text.splitlines(), "line"), text) if text else None


def _releases(context: Context, dc: Datacenter, place: str) -> Iterator[File | Gap]:
    try:
        found = {name: context.helm(dc.name).release(name, dc.namespace) for name in RELEASES}
    except MeshkitError as error:
        yield Gap(f"{place}/helm.txt", error.message)
        return
    lines = (
        f"{name}  revision {release.revision}  {release.status}  {release.description}" if release else f"{name}  none"
        for name, release in found.items()
    )
    yield File(f"{place}/helm.txt", "Helm releases", _lines(lines))


def _number(found: Sequence[Any], what: str) -> str:
    return f"{len(found):,} {what}{'' if len(found) == 1 else 's'}"


def _plural(kind: str) -> str:
    """As kubectl names them."""
    name = kind.lower()
    if name.endswith("s"):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def _lines(lines: Any) -> str:
    return "".join(f"{line}\n" for line in lines)
