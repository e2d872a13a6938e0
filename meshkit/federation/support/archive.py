"""The archive itself: a gzipped tar, readable by its owner alone, whole or not there."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath

from meshkit.errors import MeshkitError
from meshkit.support.document import File

MODE = 0o600


def write(target: Path, files: Iterable[File], made_at: datetime) -> int:
    """Pack the files below a folder of the archive's name; its size in bytes. An error or a kill leaves no archive."""
    folder = target.name.removesuffix(".tar.gz")
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz") as archive:
                for file in files:
                    _add(archive, f"{folder}/{_safe(file.path)}", file.text, made_at)
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(target)
        return target.stat().st_size
    except OSError as error:
        raise MeshkitError(f"{target} can't be written: {error.strerror}", hint="--file another one") from error
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, text: str, made_at: datetime) -> None:
    content = text.encode(errors="replace")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), MODE, int(made_at.timestamp())
    archive.addfile(entry, io.BytesIO(content))


def _safe(path: str) -> str:
    """Names come from clusters: none of them leads out of the folder."""
    return "/".join(part for part in PurePosixPath(path).parts if part not in ("..", "/"))
