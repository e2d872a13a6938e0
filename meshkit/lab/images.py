"""Container images without a registry: OCI archives made from the built binaries, kept by content.

Each image is one uncompressed layer: a few binaries, the shared libraries they need, and busybox for a shell.
Consul's image has curl, grep and docker-entrypoint.sh because readiness probes and start scripts of Consul charts call
them.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from meshkit.errors import MeshkitError
from meshkit.events import Finished, Observer, Started, ignore
from meshkit.lab import interpreter, toolchain
from meshkit.lab.topology import cache_folder

LAYOUT = 1
"""Counts up when the way images are laid out changes, so that cached ones are made anew."""

KEPT_S = 7 * 24 * 3600.0
"""For how long an archive is kept after its last use: the tools of an older checkout may still ask for it."""

PAUSE = "meshkit.local/pause:1"
COREDNS = "meshkit.local/coredns:1"
CONSUL = "docker.io/hashicorp/consul:1.22.7"
ENVOY = "docker.io/envoyproxy/envoy:v1.36.4"
PYTHON = "docker.io/library/python:3.13-slim"
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
ELF = b"\x7fELF"
CONSUL_ENTRYPOINT = Path(__file__).with_name("docker-entrypoint.sh")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """One image: path in it to file on this machine, and the user it runs as."""

    name: str
    files: dict[str, Path]
    user: str
    command: tuple[str, ...]
    shell: bool = True
    folders: tuple[str, ...] = ()
    accounts: str = field(default="root:x:0:0::/:/bin/sh\n")
    dated: bool = False
    """Files keep their times, by which Python knows that a compiled module belongs to its source."""


def catalogue() -> tuple[Image, ...]:
    """The images a node holds; the tools must have been built."""
    tool = toolchain.tool
    consul = {
        "/bin/consul": tool("consul"),
        "/usr/bin/curl": _command("curl"),
        "/usr/local/bin/docker-entrypoint.sh": CONSUL_ENTRYPOINT,
    }
    return (
        Image(PAUSE, {}, "65535:65535", ("/bin/sleep", "infinity")),
        Image(COREDNS, {"/coredns": tool("coredns")}, "0", ("/coredns",), shell=False),
        Image(
            CONSUL,
            consul,
            "100:1000",
            ("/bin/consul",),
            folders=("/consul/data", "/consul/config"),
            accounts="root:x:0:0::/:/bin/sh\nconsul:x:100:1000::/consul:/bin/sh\n",
        ),
        Image(ENVOY, {"/usr/local/bin/envoy": toolchain.envoy()}, "101:101", ("/usr/local/bin/envoy",)),
        Image(PYTHON, interpreter.files(), "0", ("/usr/local/bin/python3",), dated=True),
    )


def build_all(observe: Observer = ignore) -> tuple[Path, ...]:
    """An archive per image, made now or taken from the cache."""
    return tuple(_build(image, observe) for image in catalogue())


def _build(image: Image, observe: Observer) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", image.name)
    path = cache_folder() / "images" / f"{name}-{_digest(image)}.tar"
    with toolchain.lock(f"image-{name}"):
        if path.exists():
            path.touch()
        else:
            task, begin = f"image {image.name}", time.monotonic()
            observe(Started(task, "lab", 5))
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            _write_archive(image, partial)
            partial.rename(path)
            observe(Finished(task, time.monotonic() - begin, "lab"))
        _forget_unused(path.parent, name)
    return path


def _forget_unused(folder: Path, name: str) -> None:
    """Archives of an image that nobody asked for in a long time, and what a killed build left."""
    oldest = time.time() - KEPT_S
    for path in folder.glob(f"{name}-*"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _digest(image: Image) -> str:
    """Names what goes in, wherever it lies on this machine: the recipe, and the content of every file."""
    recipe = (LAYOUT, image.name, image.user, image.command, image.shell, image.folders, image.accounts, image.dated)
    text = [repr(recipe)]
    for inside, source in sorted(_contents(image).items()):
        with source.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        stat = source.stat()
        text.append(f"{inside} {stat.st_mode:o} {int(stat.st_mtime) if image.dated else 0} {content}")
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:16]


def _contents(image: Image) -> dict[str, Path]:
    """All files of an image, libraries included."""
    files = dict(image.files)
    if image.shell:
        files["/bin/busybox"] = _command("busybox")
    libraries = set(_libraries(tuple(path for path in files.values() if _is_binary(path))))
    return files | {str(library): library for library in libraries} | interpreter.unwinder(libraries)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF


@cache
def _libraries(binaries: tuple[Path, ...]) -> tuple[Path, ...]:
    """The shared libraries that binaries load, as ldd lists them; none for a static one."""
    if not binaries:
        return ()
    done = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False)
    return tuple(Path(match[1]) for match in LIBRARY.finditer(done.stdout))


def _command(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        package = {"busybox": "busybox-static"}.get(name, name)
        raise MeshkitError(f"{name} is not installed", hint=f"apt-get install {package}")
    return Path(found)


def _write_archive(image: Image, path: Path) -> None:
    """An OCI image layout in a tar; https://github.com/opencontainers/image-spec/blob/main/image-layout.md."""
    layer_file = path.with_suffix(".layer")
    _write_layer(image, layer_file)
    with layer_file.open("rb") as layer:
        digest = hashlib.file_digest(layer, "sha256").hexdigest()
    size = layer_file.stat().st_size
    config = _json(_config(image, digest))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{digest}", "size": size}
            ],
        }
    )
    entry = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    entry["annotations"] = {"io.containerd.image.name": image.name}
    index = _json({"schemaVersion": 2, "manifests": [entry]})
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", index)
        for blob in (config, manifest):
            _add(archive, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        archive.add(layer_file, f"blobs/sha256/{digest}", filter=_anonymous)
    layer_file.unlink()


def _write_layer(image: Image, path: Path) -> None:
    with tarfile.open(path, "w") as layer:
        for folder in ("tmp", *(f.lstrip("/") for f in image.folders)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            layer.addfile(entry)
        _add(layer, "etc/passwd", image.accounts.encode())
        for inside, source in sorted(_contents(image).items()):
            layer.add(source.resolve(), inside.lstrip("/"), filter=_without_owner if image.dated else _anonymous)
        for applet in _applets() if image.shell else ():
            if f"/bin/{applet}" not in image.files and applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(entry)


@cache
def _applets() -> tuple[str, ...]:
    done = subprocess.run([str(_command("busybox")), "--list"], capture_output=True, text=True, check=True)
    return tuple(done.stdout.split())


def _config(image: Image, layer_digest: str) -> dict[str, object]:
    return {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "User": image.user,
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            "Entrypoint": list(image.command),
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same bytes whoever builds them, and whenever."""
    entry.mtime = 0
    return _without_owner(entry)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    return entry
