"""Which images a file holds, read before a node is given it.

Two forms go around: an OCI image layout in a tar (buildah, skopeo, this project's own) names its images in index.json,
and what ``docker save`` writes in manifest.json; newer Dockers write both. A kubelet asks for images by their full
name, so the short ones that either form may hold are completed as Docker completes them.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.errors import UsageError

INDEX, MANIFEST = "index.json", "manifest.json"
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
"""Annotations that name an image, in the order in which containerd looks at them."""

DOCUMENT_MAX = 4 * 1024 * 1024
"""An index takes a few hundred bytes per image; one of this size is no index."""

MAKE_ONE = "docker save NAME:TAG -o FILE, or buildah push NAME:TAG oci-archive:FILE:NAME:TAG"


@dataclass(frozen=True)
class Archive:
    """A file and its images: the name that containerd gives each on import, and the full one."""

    path: Path
    images: Mapping[str, str]


def read(path: Path) -> Archive:
    """Look into a file; UsageError when it is no archive of named images."""
    found = _documents(path)
    named = dict.fromkeys([*_named_by_index(found.get(INDEX)), *_named_by_manifest(found.get(MANIFEST))])
    images = {name: full_name(name) for name in named if _is_reference(name)}
    if not images:
        tags = f", only the tag {next(iter(named))}" if named else ""
        raise UsageError(f"{path} does not say what its images are called{tags}", hint=MAKE_ONE)
    return Archive(path, images)


def full_name(name: str) -> str:
    """An image's name with registry and tag, as a kubelet asks for it."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _documents(path: Path) -> dict[str, Any]:
    """The JSON files at the top of the archive that name images."""
    try:
        with tarfile.open(path) as archive:
            found = {member.name.removeprefix("./"): member for member in archive if member.isfile()}
            return {name: _json(archive, found[name], path) for name in (INDEX, MANIFEST) if name in found}
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint=f"a file with images is made by: {MAKE_ONE}") from error
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"{path} is no archive of images: {error}", hint=MAKE_ONE) from error
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}", hint="ls -l it") from error


def _json(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Any:
    file = archive.extractfile(member)
    if file is None or member.size > DOCUMENT_MAX:
        raise UsageError(f"{path} is no archive of images: its {member.name} is no list of them", hint=MAKE_ONE)
    try:
        return json.loads(file.read())
    except ValueError as error:
        raise UsageError(f"{path} is no archive of images: its {member.name} is not JSON", hint=MAKE_ONE) from error


def _named_by_index(index: Any) -> Iterator[str]:
    entries = index.get("manifests") if isinstance(index, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        annotations = (entry.get("annotations") or {}) if isinstance(entry, dict) else {}
        name = next((annotations[key] for key in NAMES if annotations.get(key)), "")
        if name:
            yield str(name)


def _named_by_manifest(manifest: Any) -> Iterator[str]:
    """What containerd completes itself, so the name on import is the full one."""
    for entry in manifest if isinstance(manifest, list) else ():
        for tag in (entry.get("RepoTags") or ()) if isinstance(entry, dict) else ():
            yield full_name(str(tag))


def _is_reference(name: str) -> bool:
    """Whether containerd takes it for a whole name; a tag alone it puts behind a name of its own making."""
    return any(sign in name for sign in "/:@")
