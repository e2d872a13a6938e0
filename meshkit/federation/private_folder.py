"""A folder that only its owner may look into, and in which a kill at any moment leaves whole files.

Files are written beside themselves, synced and renamed. A file or folder that others could read or have planted is
refused, not mended: if it was open, its secrets may be known already, and the user is to hear of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from meshkit.errors import MeshkitError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO
PARTIAL = ".partial"
LOCK = "lock"


class PrivateFolder:
    """The folder at ``path``; it is made when the first file is written. Every failure is a MeshkitError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes | None:
        """A file's content, None when there is none: an empty file is a damaged one, not one to be made anew."""
        path = self.path / name
        with _mapped(path, "opened"):
            if not self.path.exists():
                return None
            _check_private(self.path, self.path.lstat())
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None
            with os.fdopen(fd, "rb") as file:
                _check_private(path, os.fstat(fd))
                return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Replace a file's content, all of it or nothing."""
        with _mapped(self.path / name, "written"):
            self._ensure()
            partial = self.path / f"{name}{PARTIAL}"
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path / name)
            self._sync()

    def delete(self, name: str) -> None:
        """Unlink a file, if there is one."""
        with _mapped(self.path / name, "deleted"):
            (self.path / name).unlink(missing_ok=True)

    def remove(self, last: str) -> None:
        """Unlink every file, ``last`` after the others so that a killed removal still knows whose it was."""
        with _mapped(self.path, "removed"):
            if not self.path.exists():
                return
            files = [file for file in self.path.iterdir() if file.is_symlink() or not file.is_dir()]
            for file in sorted(files, key=lambda f: (f.name == LOCK, f.name == last, f.name)):
                file.unlink()
            self.path.rmdir()

    @contextmanager
    def locked(self, whose: str) -> Iterator[None]:
        """Keep other processes out for as long as this lasts; MeshkitError says who is in. ``whose`` names the work."""
        with _mapped(self.path / LOCK, "locked"):
            file = self._acquire(whose)
        with file:
            yield

    def _acquire(self, whose: str) -> TextIO:
        self._ensure()
        path = self.path / LOCK
        while True:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE), "r+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                with file:
                    holder = file.read().strip() or "unknown"
                text = f"another meshkit works on {whose} (process {holder})"
                raise MeshkitError(text, hint="wait until it has ended") from error
            # Whoever held it may have removed the folder meanwhile; a lock on an unlinked file keeps nobody out.
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break
            file.close()
            self._ensure()
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        for leftover in self.path.glob(f"*{PARTIAL}"):
            leftover.unlink()
        return file

    def _ensure(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        self.path.mkdir(exist_ok=True, mode=FOLDER_MODE)
        _check_private(self.path, self.path.lstat())

    def _sync(self) -> None:
        """A rename is safe on disk only once its folder is."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextmanager
def _mapped(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else str(error.strerror).lower()
        raise MeshkitError(f"{path} can't be {done}: {reason}", hint=f"ls -ld {path}") from error


def _check_private(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise MeshkitError(f"{path} is a symbolic link", hint="set MESHKIT_STATE_DIR to the folder it leads to")
    if found.st_uid != os.geteuid():
        raise MeshkitError(f"{path} belongs to another user", hint=f"ls -ld {path}")
    if found.st_mode & OTHERS:
        raise MeshkitError(f"{path} is open to other users", hint=f"chmod -R go= {path}")
