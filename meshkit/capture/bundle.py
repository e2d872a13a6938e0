"""The pod's program as bytes for its stdin: a zip that Python imports from memory, since no disk there is ours."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

import meshkit

FILES = (
    "__init__.py",
    "errors.py",
    "capture/__init__.py",
    "capture/pod/__init__.py",
    "capture/pod/extent.py",
    "capture/pod/filter.py",
    "capture/pod/program.py",
    "capture/pod/ring.py",
    "capture/pod/snap.py",
    "capture/pod/wire.py",
    "probes/__init__.py",
    "probes/bpf.py",
)

START = """\
import os, sys
def read(size):
    found = b""
    while len(found) < size:
        part = os.read(0, size - len(found))
        if not part:
            sys.exit(1)
        found += part
    return found
archive = os.memfd_create("meshkit-capture")
with os.fdopen(archive, "wb", closefd=False) as file:
    file.write(read(int(read(8))))
sys.path.insert(0, f"/proc/self/fd/{archive}")
from meshkit.capture.pod.program import main
sys.exit(main())
"""
"""Reads not one byte more than the archive has: what follows is the program's."""

COMMAND = ("python3", "-I", "-c", START)


def request(ports: Collection[int], longest_s: float) -> bytes:
    """What the command reads on stdin: the archive, then what is wanted of it, each after its size."""
    wanted = json.dumps({"ports": sorted(ports), "longest_s": longest_s}).encode()
    return b"".join(f"{len(part):08d}".encode() + part for part in (_archive(), wanted))


@cache
def _archive() -> bytes:
    folder, buffer = Path(meshkit.__file__).parent, io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in FILES:
            file.writestr(zipfile.ZipInfo(f"meshkit/{name}"), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
