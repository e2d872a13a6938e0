"""A folder for secrets: private, whole after a kill, and one process at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from meshkit.errors import MeshkitError
from meshkit.federation.private_folder import PrivateFolder


@pytest.fixture
def folder(tmp_path: Path) -> PrivateFolder:
    """Not there yet, below a folder that is not there either."""
    return PrivateFolder(tmp_path / "state" / "mesh")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def test_nothing_is_made_by_reading(folder: PrivateFolder) -> None:
    """Looking at a federation that is not here leaves no trace."""
    assert folder.read("a") is None
    assert not folder.path.parent.exists()


def test_files_are_for_their_owner_alone(folder: PrivateFolder) -> None:
    """Whatever the umask: 0700 for folders, 0600 for files."""
    with umask(0):
        folder.write("a", b"x")
    assert (mode(folder.path.parent), mode(folder.path), mode(folder.path / "a")) == (0o700, 0o700, 0o600)


def test_what_was_written_is_read(folder: PrivateFolder) -> None:
    """The newest content, and an empty file is not a missing one."""
    folder.write("a", b"old")
    folder.write("a", b"new")
    folder.write("b", b"")
    assert (folder.read("a"), folder.read("b")) == (b"new", b"")
    assert sorted(file.name for file in folder.path.iterdir()) == ["a", "b"]


def test_a_failed_write_leaves_the_old_file(folder: PrivateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the new content, before the rename."""
    folder.write("a", b"old")

    def die(fd: int) -> None:
        raise OSError(28, "No space left on device", fd)

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(MeshkitError, match="a can't be written: no space left on device"):
        folder.write("a", b"new")
    assert folder.read("a") == b"old"


def test_the_next_write_takes_the_place_of_a_killed_one(folder: PrivateFolder) -> None:
    """A leftover half is in nobody's way."""
    folder.write("a", b"old")
    (folder.path / "a.partial").write_bytes(b"ne")
    folder.write("a", b"new")
    assert folder.read("a") == b"new"
    assert not (folder.path / "a.partial").exists()


def test_the_lock_sweeps_up_what_a_kill_left(folder: PrivateFolder) -> None:
    """Half a secret is not kept for ever."""
    folder.write("a", b"old")
    (folder.path / "b.partial").write_bytes(b"half")
    with folder.locked("it"):
        assert sorted(file.name for file in folder.path.iterdir()) == ["a", "lock"]


def test_a_planted_link_is_not_followed(folder: PrivateFolder, tmp_path: Path) -> None:
    """Neither for a file nor for its half: writing replaces the link, its target stays."""
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    folder.write("a", b"mine")
    (folder.path / "b").symlink_to(target)
    (folder.path / "b.partial").symlink_to(target)
    with pytest.raises(MeshkitError, match="b can't be opened: it is a symbolic link"):
        folder.read("b")
    folder.write("b", b"mine")
    assert (folder.read("b"), target.read_bytes()) == (b"mine", b"theirs")


def test_a_linked_folder_is_refused(folder: PrivateFolder, tmp_path: Path) -> None:
    """It may lead where others read."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.path.parent.mkdir()
    folder.path.symlink_to(elsewhere)
    with pytest.raises(MeshkitError, match="mesh is a symbolic link"):
        folder.write("a", b"x")
    with pytest.raises(MeshkitError, match="mesh is a symbolic link"):
        folder.read("a")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "bits", [0o040, 0o020, 0o004, 0o010], ids=["group reads", "group writes", "all read", "search"]
)
def test_what_others_can_open_is_refused(folder: PrivateFolder, bits: int) -> None:
    """File or folder; the hint closes it."""
    folder.write("a", b"x")
    for path, closed in ((folder.path / "a", 0o600), (folder.path, 0o700)):
        path.chmod(closed | bits)
        with pytest.raises(MeshkitError, match=f"{path.name} is open to other users") as caught:
            folder.read("a")
        assert caught.value.hint == f"chmod -R go= {path}"
        path.chmod(closed)
    assert folder.read("a") == b"x"


def test_an_open_folder_is_not_written_to(folder: PrivateFolder) -> None:
    """Better no secret than one that others read."""
    folder.path.mkdir(parents=True)
    folder.path.chmod(0o750)
    with pytest.raises(MeshkitError, match="open to other users"):
        folder.write("a", b"x")
    assert list(folder.path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_is_refused(folder: PrivateFolder) -> None:
    """Root would read it, and its owner could change it any time."""
    folder.write("a", b"x")
    os.chown(folder.path / "a", 65534, 65534)
    with pytest.raises(MeshkitError, match="belongs to another user"):
        folder.read("a")


def test_a_second_process_is_kept_out(folder: PrivateFolder) -> None:
    """And told who is in. The kernel lets go of the lock when its holder dies, however it dies."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom meshkit.federation.private_folder import PrivateFolder\n"
        "with PrivateFolder(Path(sys.argv[1])).locked('it'):\n"
        "    print(os.getpid(), flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout
        pid = holder.stdout.readline().strip()
        with pytest.raises(MeshkitError, match=rf"another meshkit works on it \(process {pid}\)"), folder.locked("it"):
            pass
        holder.kill()
    with folder.locked("it"):
        assert (folder.path / "lock").read_text() == str(os.getpid())


def test_the_lock_is_let_go_when_the_work_fails(folder: PrivateFolder) -> None:
    """And the failure passes through as it is."""
    with pytest.raises(ZeroDivisionError), folder.locked("it"):
        raise ZeroDivisionError
    with folder.locked("it"):
        pass


def test_a_lock_may_outlive_its_folder(folder: PrivateFolder) -> None:
    """A removal holds the lock inside what it removes; who comes next starts anew."""
    with folder.locked("it"):
        folder.remove(last="a")
    assert not folder.path.exists()
    with folder.locked("it"):
        assert folder.path.exists()


def test_a_lock_on_a_removed_file_does_not_count(folder: PrivateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run removed the folder between opening the lock and getting it: a third would then get a new one."""
    lock, flock = folder.path / "lock", fcntl.flock

    def late(file: TextIO, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        folder.remove(last="a")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with folder.locked("it"), lock.open() as seen, pytest.raises(BlockingIOError):
        flock(seen, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_remove_leaves_nothing_and_can_be_repeated(folder: PrivateFolder) -> None:
    """Files, halves and links; not what the links lead to."""
    folder.write("a", b"x")
    (folder.path / "b.partial").write_bytes(b"x")
    (folder.path / "c").symlink_to(folder.path.parent)
    folder.remove(last="a")
    folder.remove(last="a")
    assert list(folder.path.parent.iterdir()) == []


def test_a_foreign_folder_inside_is_not_removed(folder: PrivateFolder) -> None:
    """It is nothing of meshkit's; the secrets are gone all the same."""
    folder.write("a", b"x")
    (folder.path / "mine").mkdir()
    with pytest.raises(MeshkitError, match="can't be removed: directory not empty"):
        folder.remove(last="a")
    assert [file.name for file in folder.path.iterdir()] == ["mine"]


def test_a_file_where_the_folder_should_be_is_one_line(folder: PrivateFolder) -> None:
    """For whoever set the wrong path."""
    folder.path.parent.mkdir(mode=0o700)
    folder.path.touch(mode=0o600)
    with pytest.raises(MeshkitError, match="can't be written: file exists"):
        folder.write("a", b"x")
    with pytest.raises(MeshkitError, match="can't be opened: not a directory"):
        folder.read("a")
    with pytest.raises(MeshkitError, match="can't be locked: file exists"), folder.locked("it"):
        pass
