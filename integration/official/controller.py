"""A controller for the stand-in's resources: the unit tests' rules, on a real API server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from fakes.reconcile import reconcile
from fakes.wan import Store
from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import resources
from meshkit.errors import MeshkitError

TURN_S = 0.1


@contextmanager
def at_work(kube: Kube, store: Store, datacenter: str) -> Iterator[None]:
    """Reconcile every resource, again and again, for as long as the context is open."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(TURN_S):
            with suppress(MeshkitError):  # a conflict, or a definition that goes: looked at again
                _turn(kube, store, datacenter)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def _turn(kube: Kube, store: Store, datacenter: str) -> None:
    for kind in (resources.INTENTIONS_KIND, resources.PROXY_DEFAULTS_KIND):
        for item in kube.list(kind):
            resource = {**item, "kind": kind}
            if not item["metadata"].get("finalizers"):
                _patch(kube, resource, {"metadata": {"finalizers": [resources.FINALIZER]}})
            outcome = reconcile(resource, store, datacenter)
            if outcome.condition:
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                status = {"conditions": [outcome.condition | {"lastTransitionTime": now}]}
                _patch(kube, resource, {"status": status}, subresource="status")
            if outcome.released:
                _patch(kube, resource, {"metadata": {"finalizers": []}})


def _patch(kube: Kube, resource: Manifest, body: Manifest, *, subresource: str = "") -> None:
    meta = resource["metadata"]
    kube.patch(Ref(resource["kind"], meta["name"], meta["namespace"]), body, subresource=subresource)
