"""The agent as one archive: a zip that any Python from 3.11 runs, made of what is installed here.

It goes into the clusters as a ConfigMap, so that agents always are of the same version as the command that reads them,
and nobody needs an image of ours. A ConfigMap holds a mebibyte: of scapy only what crafts and reads IPv4, IPv6 and ICMP
goes along (the rest is 9 MB), of dnspython nothing that encrypts, since the agent's image has no cryptography package.

The same sources have the same digest on every machine: it names the ConfigMap, and a new one is what replaces the pods.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from meshkit.errors import MeshkitError

LARGEST_BYTES = 1 << 20
"""Kubernetes' limit for all of a ConfigMap (MaxSecretSize, validation.go of its core API)."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""

MAIN = """\
import sys

from meshkit.probes.agent.main import main

sys.exit(main())
"""

PACKAGES = {
    "meshkit": ("__init__.py", "errors.py", "probes/**/*.py"),
    "h2": ("**/*.py",),
    "hpack": ("**/*.py",),
    "hyperframe": ("**/*.py",),
    "dns": ("*.py", "quic/*.py", "rdtypes/**/*.py"),
    "scapy": (
        "*.py",
        "arch/*.py",
        "arch/linux/*.py",
        "layers/__init__.py",
        "layers/inet.py",
        "layers/inet6.py",
        "layers/l2.py",
        "libs/__init__.py",
        "libs/ethertypes.py",
        "libs/extcap.py",
        "libs/matplot.py",
        "libs/structures.py",
        "libs/test_pyx.py",
    ),
}
"""Packages and what of each goes along, as patterns: a later version of one may have more files of the same kind."""

LEFT_OUT = frozenset({"meshkit/probes/bundle.py"})

EMPTY = {"scapy/libs/manuf.py": 'DATA = ""\n', "scapy/libs/bluetoothids.py": "DATA = {}\n"}
"""Registries that scapy reads as it starts and prints names from, where the machine has none: a third of a mebibyte."""


@dataclass(frozen=True)
class Archive:
    """The zip's bytes, and the SHA-256 of what is in it, hexadecimal: another zlib packs the same differently."""

    content: bytes
    digest: str


@cache
def archive() -> Archive:
    """The agent of this installation; MeshkitError when a part of it is not installed."""
    buffer, digest = io.BytesIO(), hashlib.sha256()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, content in sorted(_contents()):
            file.writestr(_entry(name), content)
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return Archive(buffer.getvalue(), digest.hexdigest())


def _contents() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", MAIN.encode()
    for name, text in EMPTY.items():
        yield name, text.encode()
    for package, patterns in PACKAGES.items():
        folder = _folder(package)
        found = {path for pattern in patterns for path in folder.glob(pattern)}
        for path in found:
            name = f"{package}/{path.relative_to(folder)}"
            if name not in LEFT_OUT:
                yield name, path.read_bytes()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    return entry


def _folder(package: str) -> Path:
    """Where a package is installed, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MeshkitError(f"the Python package {package} is not installed", hint="pip install meshkit")
    return Path(spec.submodule_search_locations[0])
