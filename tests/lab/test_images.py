"""Image archives: the same bytes from the same files, in the form that containerd imports."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.lab import images, interpreter


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> images.Image:
    """An image of one file, without busybox, so that nothing needs to be installed."""
    monkeypatch.setenv("MESHKIT_CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "tool"
    source.write_text("#!/bin/sh\n")
    source.chmod(0o755)
    return images.Image("example.test/tool:1", {"/bin/tool": source}, "100:1000", ("/bin/tool",), shell=False)


def blobs(path: Path) -> dict[str, bytes]:
    """Every file of an archive."""
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}  # type: ignore[union-attr]


def test_every_blob_has_the_digest_that_names_it(image: images.Image) -> None:
    """From the index to the layer, and the layer's own digest in the config."""
    files = blobs(images._build(image, lambda _: None))
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    entry = json.loads(files["index.json"])["manifests"][0]
    assert entry["annotations"] == {"io.containerd.image.name": "example.test/tool:1"}
    manifest = json.loads(files[_blob(entry)])
    for descriptor in (entry, manifest["config"], manifest["layers"][0]):
        content = files[_blob(descriptor)]
        assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert descriptor["size"] == len(content)
    config = json.loads(files[_blob(manifest["config"])])
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["User"] == "100:1000"


def test_the_layer_holds_the_files_as_root_without_times(image: images.Image) -> None:
    """Whoever builds it, and whenever."""
    files = blobs(images._build(image, lambda _: None))
    manifest = json.loads(files[_blob(json.loads(files["index.json"])["manifests"][0])])
    with tarfile.open(fileobj=io.BytesIO(files[_blob(manifest["layers"][0])])) as layer:
        members = {member.name: member for member in layer.getmembers()}
    assert set(members) == {"tmp", "etc/passwd", "bin/tool"}
    assert members["bin/tool"].mode & 0o777 == 0o755
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 0)}


def test_the_same_files_make_the_same_bytes(image: images.Image, tmp_path: Path) -> None:
    """So that a cache, or another machine, can be compared."""
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    images._write_archive(image, first)
    images._write_archive(image, second)
    assert first.read_bytes() == second.read_bytes()


def test_an_archive_is_made_once_and_anew_when_a_file_changes(image: images.Image) -> None:
    """By content; the second call does not write."""
    path = images._build(image, lambda _: None)
    made = path.stat().st_ino
    assert images._build(image, lambda _: None) == path
    assert path.stat().st_ino == made
    image.files["/bin/tool"].write_text("#!/bin/sh\nexit 1\n")
    assert images._build(image, lambda _: None) != path


def test_the_same_content_elsewhere_is_the_same_archive(image: images.Image, tmp_path: Path) -> None:
    """Another checkout's environment lies under another path."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copy(image.files["/bin/tool"], elsewhere)
    path = images._build(image, lambda _: None)
    assert images._build(replace(image, files={"/bin/tool": elsewhere}), lambda _: None) == path


def test_the_digest_is_the_same_in_every_process() -> None:
    """Sets of paths have another order in every process."""
    program = (
        "import pathlib, sys; from meshkit.lab import images; "
        "binary = pathlib.Path(sys.executable).resolve(); "
        "print(images._digest(images.Image('a', {'/bin/tool': binary}, '0', ('/bin/tool',), shell=False)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert len(said) == 1


def test_what_nobody_asked_for_in_a_long_time_is_removed(image: images.Image) -> None:
    """Archives and the leftovers of a killed build; those of other images and recent ones stay."""
    path = images._build(image, lambda _: None)
    folder = path.parent
    gone = [folder / f"example-test-tool-1-{name}" for name in ("0123.tar", "4567.partial", "89ab.layer")]
    kept = [folder / "example-test-tool-1-recent.tar", folder / "example-test-other-1-0123.tar"]
    long_ago = time.time() - images.KEPT_S - 60
    for file in (*gone, *kept):
        file.touch()
    for file in (*gone, kept[1], path):
        os.utime(file, (long_ago, long_ago))
    assert images._build(image, lambda _: None) == path
    assert sorted(folder.iterdir()) == sorted([path, *kept])


def test_libraries_are_read_from_what_ldd_says() -> None:
    """Named by a path of their own or after an arrow; the kernel's has none."""
    text = """
        linux-vdso.so.1 (0x00007ffd)
        libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)
        /lib64/ld-linux-x86-64.so.2 (0x00007f2)
    """
    assert images.LIBRARY.findall(text) == ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


def test_consul_is_started_through_the_script_that_the_official_chart_calls() -> None:
    """It becomes what it is given, so that the agent gets the signals."""
    done = subprocess.run(
        [images.CONSUL_ENTRYPOINT, "sh", "-c", 'echo "$0 $1"', "a b", "c"], capture_output=True, check=True
    )
    assert done.stdout == b"a b c\n"


def _blob(descriptor: dict[str, str]) -> str:
    return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"


def test_the_python_image_is_laid_out_like_the_official_one() -> None:
    """``python3`` on PATH, its library beside it with compiled modules, and nothing that no agent needs."""
    files = interpreter.files()
    library = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}"

    assert files["/usr/local/bin/python3"].samefile(Path(sys.executable).resolve())
    assert f"{library}/os.py" in files
    assert f"{library}/__pycache__/os.{sys.implementation.cache_tag}.pyc" in files
    folders = {path.removeprefix(f"{library}/").split("/")[0] for path in files}
    assert folders & {"site-packages", "test", "idlelib", "ensurepip", "tkinter"} == set()


def test_python_s_files_keep_their_times(image: images.Image) -> None:
    """By a source's time Python knows that the compiled module beside it is up to date."""
    dated = replace(image, dated=True)
    files = blobs(images._build(dated, lambda _: None))
    manifest = json.loads(files[_blob(json.loads(files["index.json"])["manifests"][0])])
    with tarfile.open(fileobj=io.BytesIO(files[_blob(manifest["layers"][0])])) as layer:
        entry = layer.getmember("bin/tool")

    assert entry.mtime == int(image.files["/bin/tool"].stat().st_mtime)
    assert (entry.uid, entry.gid, entry.uname) == (0, 0, "")


def test_the_unwinder_comes_with_the_c_library(tmp_path: Path) -> None:
    """The C library opens it by name, so no list of libraries has it."""
    for name in ("libc.so.6", "libgcc_s.so.1"):
        (tmp_path / name).touch()

    assert interpreter.unwinder([tmp_path / "libm.so.6"]) == {}
    found = interpreter.unwinder([tmp_path / "libc.so.6"])
    assert list(found.values()) == [tmp_path / "libgcc_s.so.1"]
