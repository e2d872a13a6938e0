"""Whether the images of the chart can run in the clusters, found out by running each, which pulls it where it can be.

By that, too, no image is pulled while something is timed.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hashicorp.given import WITHOUT_IMAGES
from hashicorp.pair import Official, settles

from meshkit.consul.images import ENVOY, PYTHON

NAMESPACE = "official-images"
PULLED_S = 600.0
FAILURES = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def ensure(official: Official) -> None:
    """Skip all tests when an image is neither in the nodes nor to be pulled, with each one's reason."""
    wanted = (*official.images().values(), official.own_image(ENVOY), official.own_image(PYTHON))
    with ThreadPoolExecutor() as pool:
        missing = [
            text for texts in pool.map(lambda name: _missing(official, name, wanted), official.names) for text in texts
        ]
    if missing:
        pytest.skip("\n  ".join(["images of the chart can't be had:", *missing, WITHOUT_IMAGES]))


def _missing(official: Official, context: str, wanted: tuple[str, ...]) -> list[str]:
    """Why images do not run in a cluster, one line each."""
    pods = {f"image-{number}": _pod(f"image-{number}", image) for number, image in enumerate(wanted)}
    document = {"apiVersion": "v1", "kind": "List", "items": list(pods.values())}
    official.kubectl(context, "create", "namespace", NAMESPACE)
    try:
        official.kubectl(context, "-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(document))
        states: dict[str, str] = {}

        def told() -> bool:
            items = official.get(context, "-n", NAMESPACE, "pods")["items"]
            states.update({item["metadata"]["name"]: _state(item) for item in items})
            return len(states) == len(pods) and all(states.values())

        settles(told, f"{context} to have images or to fail at it", PULLED_S)
    finally:
        official.kubectl(context, "delete", "namespace", NAMESPACE)
    return [
        f"{context}: {image}: {states[name]}"
        for name, image in zip(pods, wanted, strict=True)
        if states[name] != "runs"
    ]


def _state(pod: dict[str, Any]) -> str:
    """``runs``, why the image can't be had, or empty as long as neither is known."""
    for status in pod["status"].get("containerStatuses", ()):
        waiting = status["state"].get("waiting") or {}
        if waiting.get("reason") in FAILURES:
            return str(waiting.get("message") or waiting["reason"])
        # The image has no such program, and need not: to be told so it had to be there.
        if status.get("imageID") or "terminated" in status["state"]:
            return "runs"
    return ""


def _pod(name: str, image: str) -> dict[str, Any]:
    container = {"name": "main", "image": image, "command": ["/bin/true"], "imagePullPolicy": "IfNotPresent"}
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
