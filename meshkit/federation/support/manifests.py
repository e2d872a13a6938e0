"""Kubernetes objects as a support bundle shows them: without bulk, and without what may be a secret by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from meshkit.backends.base import Manifest

SECRET_NAME = re.compile(
    r"(?:password|passwd|passphrase|token|secret|credential|api_?key|private_?key)(?!.*(?:file|path)$)", re.IGNORECASE
)
"""Of an environment variable; where it is a file's name, the path is no secret."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
BULKY = frozenset({"managedFields", LAST_APPLIED})
SETTINGS = frozenset({"name", "value"})


def shown(value: Any) -> Any:
    """An object, or a part of one."""
    if isinstance(value, list):
        return [shown(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == SETTINGS and SECRET_NAME.search(str(value["name"])):
        return {"name": value["name"], "value": "<redacted: by its name>"}
    return {
        key: {name: f"{len(str(data))} characters of base64" for name, data in (each or {}).items()}
        if key == "binaryData"
        else shown(each)
        for key, each in value.items()
        if key not in BULKY
    }


def secrets(found: Sequence[Manifest]) -> Iterator[str]:
    """Secrets by name, kind and keys; never what is in them."""
    for secret in found:
        keys = ", ".join(sorted(secret.get("data") or {})) or "empty"
        made = secret["metadata"].get("creationTimestamp", "")
        yield f"{secret['metadata']['name']}  {secret.get('type', '')}  {keys}  {made}"


def events(found: Sequence[Manifest], since: datetime) -> Iterator[str]:
    """A line per event that was seen since then, the oldest first."""
    lines = [(_last_seen(event), _line(event)) for event in found]
    for at, line in sorted(lines):
        if at >= f"{since:%Y-%m-%dT%H:%M:%S}":
            yield f"{at}  {line}"


def _last_seen(event: Mapping[str, Any]) -> str:
    """RFC 3339; the fields that hold it depend on who wrote the event."""
    times = (event.get("lastTimestamp"), (event.get("series") or {}).get("lastObservedTime"), event.get("eventTime"))
    return str(next((at for at in times if at), event["metadata"].get("creationTimestamp") or ""))


def _line(event: Mapping[str, Any]) -> str:
    about = event.get("involvedObject") or {}
    times = f" ({event['count']} times)" if event.get("count", 1) not in (None, 1) else ""
    said = " ".join(str(event.get("message", "")).split())
    what = f"{event.get('type', '')}  {about.get('kind', '')}/{about.get('name', '')}  {event.get('reason', '')}"
    return f"{what}{times}: {said}"
