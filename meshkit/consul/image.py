"""The version in an image's name, and the same image in another version.

What the upgrade of a datacenter comes down to, beside its chart, is one tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshkit.consul.values import Values, merge

REPOSITORY = "hashicorp/consul"
REGISTRY = "docker.io"
OF_CHART = ("imageK8S", "imageConsulDataplane")
"""Values for images whose version is the official chart's own."""


def version(image: str) -> str:
    """The tag of ``registry:5000/name:tag``; empty without one, and for an image that is named by its digest."""
    if "@" in image:
        return ""
    name, colon, tag = image.rpartition(":")
    return tag if colon and name and "/" not in tag else ""


def in_version(image: str, wanted: str) -> str:
    """The same image with another tag."""
    tag = version(image)
    return f"{image.removesuffix(f':{tag}') if tag else image}:{wanted}"


def of_user(values: Mapping[str, Any]) -> str:
    """The image of Consul that Helm values name, empty when they leave it to the chart."""
    found = values.get("global")
    return str(found.get("image") or "") if isinstance(found, Mapping) else ""


def pinned(values: Mapping[str, Any], wanted: str, registry: str) -> Values:
    """Helm values with Consul's image in a version; ``registry`` is where it comes from when they name none."""
    image = of_user(values) or f"{registry or REGISTRY}/{REPOSITORY}"
    return merge(values, {"global": {"image": in_version(image, wanted)}})


def follow_chart(values: Mapping[str, Any], before: str, after: str) -> Values:
    """Helm values whose images of the chart's own parts go with it from one version to another.

    An image with another tag than the chart's version is the user's to know about, and stays.
    """
    found = values.get("global")
    theirs = found if isinstance(found, Mapping) else {}
    moved = {key: in_version(str(theirs[key]), after) for key in OF_CHART if version(str(theirs.get(key))) == before}
    return merge(values, {"global": moved}) if moved else dict(values)
