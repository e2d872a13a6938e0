"""What a cloud provider does for a cluster: addresses for load balancers, volumes for claims.

A small process per cluster that watches Services and claims and brings about what they ask for. It runs until the
lab goes down; every action is safe to repeat, so a restart needs no memory of what was done before.
"""

from __future__ import annotations

import http.client
import json
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.lab import addons, api
from meshkit.lab.topology import Node

NODE_PORTS = frozenset({("TCP", api.PORT), ("TCP", 10250)})
"""The API server's and the kubelet's: kube-proxy would lead them to the Service instead."""

WATCH_S = 300
RETRY_S = 1.0
Item = dict[str, Any]
log = logging.getLogger("cloud")


def main(arguments: Sequence[str]) -> None:
    """Serve the cluster ``NAME INDEX`` for good."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    node = Node(arguments[0], int(arguments[1]))
    loops = (
        ("/api/v1/services", serve_load_balancers),
        ("/api/v1/persistentvolumeclaims", serve_claims),
        ("/api/v1/persistentvolumes", reclaim_volumes),
    )
    threads = [threading.Thread(target=_follow, args=(node, path, work)) for path, work in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve_load_balancers(node: Node, services: Sequence[Item]) -> None:
    """Give each LoadBalancer Service the node's address; of two that want a port, the older gets it."""
    taken = set(NODE_PORTS)
    balancers = [s for s in services if s["spec"].get("type") == "LoadBalancer"]
    for service in sorted(balancers, key=lambda s: (not _address(s), s["metadata"]["creationTimestamp"])):
        ports = {(p.get("protocol", "TCP"), p["port"]) for p in service["spec"]["ports"]}
        if ports & taken:
            log.info("%s waits: a port of it is taken", _path(service))
            continue
        taken |= ports
        if not _address(service):
            status = {"status": {"loadBalancer": {"ingress": [{"ip": node.address}]}}}
            api.request(node, "PATCH", f"{_path(service, 'services')}/status", status, api.MERGE)
            log.info("%s has the address %s", _path(service), node.address)


def serve_claims(node: Node, claims: Sequence[Item]) -> None:
    """Make a volume for each claim of the lab's class that has none."""
    for claim in claims:
        meta, spec = claim["metadata"], claim["spec"]
        if (
            spec.get("storageClassName") != addons.STORAGE_CLASS
            or spec.get("volumeName")
            or "deletionTimestamp" in meta
        ):
            continue
        name = f"pvc-{meta['uid']}"
        folder = _volumes(node) / name
        folder.mkdir(parents=True, exist_ok=True)
        # Open to every uid: hostPath volumes ignore fsGroup, and servers run as uid 100.
        folder.chmod(0o777)
        path = f"/api/v1/persistentvolumes/{name}?fieldManager=meshkit-lab&force=true"
        api.request(node, "PATCH", path, _volume(name, folder, claim), api.APPLY)
        log.info("%s has the volume %s", _path(claim), name)


def reclaim_volumes(node: Node, volumes: Sequence[Item]) -> None:
    """Wipe and delete each of our volumes whose claim is gone."""
    for volume in volumes:
        name = volume["metadata"]["name"]
        ours = volume["spec"].get("storageClassName") == addons.STORAGE_CLASS
        if (
            ours
            and volume.get("status", {}).get("phase") == "Released"
            and "deletionTimestamp" not in volume["metadata"]
        ):
            shutil.rmtree(_volumes(node) / name, ignore_errors=True)
            api.request(node, "DELETE", f"/api/v1/persistentvolumes/{name}")
            log.info("volume %s is wiped and gone", name)


def _volume(name: str, folder: Path, claim: Item) -> Item:
    meta = claim["metadata"]
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    spec = {
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"]["accessModes"],
        "storageClassName": addons.STORAGE_CLASS,
        # Retain, and wiped here: the controller manager has no deleter for host paths outside /tmp.
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder)},
        "claimRef": reference,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _volumes(node: Node) -> Path:
    return node.folder / "volumes"


def _address(service: Item) -> bool:
    return bool((service.get("status", {}).get("loadBalancer") or {}).get("ingress"))


def _path(item: Item, resource: str = "") -> str:
    meta = item["metadata"]
    if resource:
        return f"/api/v1/namespaces/{meta['namespace']}/{resource}/{meta['name']}"
    return f"{meta['namespace']}/{meta['name']}"


def _follow(node: Node, path: str, work: Callable[[Node, Sequence[Item]], None]) -> None:
    """List, work, then work again after each change; from the start when the watch or the work fails."""
    while True:
        try:
            listed = api.request(node, "GET", path)
            items = {item["metadata"]["uid"]: item for item in listed["items"]}
            work(node, list(items.values()))
            for kind, item in _watch(node, path, listed["metadata"]["resourceVersion"]):
                if kind == "DELETED":
                    items.pop(item["metadata"]["uid"], None)
                else:
                    items[item["metadata"]["uid"]] = item
                work(node, list(items.values()))
        except (OSError, http.client.HTTPException, MeshkitError, ValueError) as error:
            log.info("%s: %s", path, error)
            time.sleep(RETRY_S)


def _watch(node: Node, path: str, version: str) -> Iterator[tuple[str, Item]]:
    """Changes since a version, until the server ends the watch or says that the version is too old."""
    connection = api.connect(node, timeout_s=WATCH_S + 30)
    try:
        connection.request("GET", f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_S}")
        answer = connection.getresponse()
        while line := answer.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            yield event["type"], event["object"]
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
