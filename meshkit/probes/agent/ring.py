"""One ConfigMap as a history of its own, for a job that runs now and then: when it is full, the oldest lines go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from meshkit.probes.agent import config
from meshkit.probes.agent.kubernetes import Object
from meshkit.probes.agent.segments import EXPANDED, Segment, lines_of
from meshkit.probes.agent.store import KEY, LABELS, config_map
from meshkit.probes.summary import Summary


def append(item: Object, name: str, given: config.Kubernetes, windows: Sequence[Summary]) -> Object:
    """The ConfigMap with these windows added; ``item`` is what there is, or empty.

    Labels and annotations stay: Helm knows by them that the ConfigMap is its own, and installs nothing over another's.
    """
    lines = _lines(item, given.segment_bytes)
    lines += [json.dumps(summary.as_wire(), separators=(",", ":")).encode() for summary in windows]
    segment = Segment(0)
    while not segment.add(lines, given.segment_bytes):
        lines = lines[max(1, len(lines) // 8) :]
    held = item.get("metadata", {})
    metadata = {"name": name, "namespace": given.namespace, "labels": {**(held.get("labels") or {}), **LABELS}}
    metadata |= {key: held[key] for key in ("annotations", "resourceVersion") if held.get(key)}
    return config_map(metadata, segment.content())


def _lines(item: Object, size: int) -> list[bytes]:
    """What it holds; nothing when it is damaged."""
    try:
        return lines_of(base64.b64decode(item["binaryData"][KEY], validate=True), EXPANDED * size)
    except (KeyError, TypeError, binascii.Error, ValueError):
        return []
