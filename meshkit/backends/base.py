"""What meshkit asks of the outside world, as protocols.

Everything that federates, checks or reports is written against these; ``cli.wiring`` alone knows the real
implementations, and the tests' fakes satisfy the same contract tests. Calls block and are safe to make from several
threads; each has its own deadline, so that a hanging API server cannot hang meshkit. Failures arrive as
``meshkit.errors``: NotFoundError, ConflictError, ForbiddenError, UnreachableError, MeshkitError for the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

Manifest = dict[str, Any]
"""A Kubernetes object in its JSON form."""


@dataclass(frozen=True)
class Ref:
    """Which Kubernetes object: kind, name and namespace (empty for cluster-scoped kinds).

    A kind that meshkit does not know by name is ``plural.version.group``, which kubectl takes too.
    """

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        """Kind/name as kubectl writes it; the namespace is in the sentence around it."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True)
class Permission:
    """One thing meshkit will do, as SelfSubjectAccessReview asks about it; ``group`` is empty for core kinds."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""


class Execution(Protocol):
    """A command that runs in a container; it sees the end of its stdin when the context around it ends."""

    def send(self, data: bytes) -> None:
        """Write to its stdin."""
        ...

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """Its stdout, line by line, until it ends; MeshkitError when it fails, with what it wrote to stderr.

        DeadlineError after ``until`` (``time.monotonic``), and an end within a second once ``stopped`` says so.
        """
        ...

    def chunks(self, until: float) -> Iterator[bytes]:
        """Its stdout as it comes, in pieces of any size, and an empty piece whenever nothing came for a moment.

        So whoever reads can send, or leave, within a second. Errors as with ``lines``.
        """
        ...


class Kube(Protocol):
    """One Kubernetes cluster, seen through one context."""

    @property
    def context(self) -> str:
        """The kubeconfig context."""
        ...

    @property
    def server(self) -> str:
        """The API server's URL, as the kubeconfig has it."""
        ...

    def version(self) -> str:
        """The API server's version, such as ``v1.34.4``."""
        ...

    def api_groups(self) -> frozenset[str]:
        """The API groups that are served, those of installed extensions included."""
        ...

    def clock(self) -> datetime:
        """The API server's time (UTC, to the second, from the Date header)."""
        ...

    def can(self, permission: Permission) -> bool:
        """Whether these credentials may do it."""
        ...

    def get(self, ref: Ref) -> Manifest | None:
        """The object, None when it does not exist."""
        ...

    def list(self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "") -> Sequence[Manifest]:
        """The objects of a kind in a namespace (in all, when empty) that match a label and a field selector."""
        ...

    def create(self, manifest: Manifest) -> Manifest:
        """Make an object; ConflictError when one of this name is there, which stays as it is."""
        ...

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply as field manager ``meshkit``; returns what the server made of it."""
        ...

    def patch(self, ref: Ref, body: Manifest, *, subresource: str = "") -> Manifest:
        """Merge patch; NotFoundError when there is no such object."""
        ...

    def delete(self, ref: Ref, *, version: str = "") -> bool:
        """Delete in the background; False when it was gone already.

        With a ``version`` (``metadata.resourceVersion``) only while the object has it, else ConflictError.
        """
        ...

    def logs(self, pod: str, namespace: str, container: str, *, lines: int = 20) -> str:
        """A container's last lines; empty when it has not started."""
        ...

    def history(self, pod: str, namespace: str, container: str, since_s: float, *, previous: bool = False) -> str:
        """A container's lines of the last ``since_s`` seconds, each with its time; of its predecessor if ``previous``.

        At most the last 2 MiB of them; empty when there is no such container.
        """
        ...

    def pod_get(self, pod: str, namespace: str, port: int, path: str = "/") -> tuple[int, str]:
        """HTTP GET to a pod through the API server: status and body."""
        ...

    def exec(
        self, pod: str, namespace: str, container: str, command: Sequence[str]
    ) -> AbstractContextManager[Execution]:
        """Run a command in a container; what it must not show to others goes to its stdin, never into ``command``."""
        ...

    def loopback_get(self, pod: str, namespace: str, port: int, paths: Sequence[str]) -> Sequence[str]:
        """HTTP GETs to a port of the pod's own loopback, over one connection: the bodies."""
        ...

    def loopback_send(self, pod: str, namespace: str, port: int, payload: bytes, timeout_s: float) -> Reply:
        """Connect to a port of the pod's own loopback, send, and wait ``timeout_s`` for an answer or an end.

        No reply but MeshkitError when there is no way to the pod.
        """
        ...

    def forward(self, pod: str, namespace: str, port: int) -> AbstractContextManager[int]:
        """A local port on 127.0.0.1 whose connections reach the pod's port for as long as the context is open."""
        ...


@dataclass(frozen=True)
class Reply:
    """What a TCP server on a pod's loopback sent back: its first bytes, and whether it then ended the connection.

    ``took_s`` is the time to the first byte, or to the end, once there was a way to the pod.
    """

    data: bytes
    ended: bool
    took_s: float


@dataclass(frozen=True)
class Release:
    """A Helm release as it stands: Helm's status word, its revision and the description meshkit wrote."""

    status: str
    revision: int
    description: str


@dataclass(frozen=True)
class InstalledChart:
    """Which chart a release was made from, and the version of what it installs."""

    name: str
    version: str
    app_version: str


class Helm(Protocol):
    """Helm, bound to one cluster."""

    def release(self, name: str, namespace: str) -> Release | None:
        """The current revision, None when there is none."""
        ...

    def chart(self, name: str, namespace: str) -> InstalledChart | None:
        """The chart of a release's current revision, None when there is no such release."""
        ...

    def values(self, name: str, namespace: str) -> Mapping[str, Any]:
        """What the current revision was installed with, without the chart's own defaults; empty without a release.

        Whoever wrote it may have put secrets there.
        """
        ...

    def pull(self, repository: str, chart: str, version: str, folder: Path) -> Path:
        """Bring a chart from a repository (``https://`` or ``oci://``) into a folder, as an archive."""
        ...

    def template(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> Sequence[Manifest]:
        """What a release would consist of, hooks too; no cluster is asked."""
        ...

    def check(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> None:
        """Render a chart and touch nothing; MeshkitError in the chart's own words when it refuses the values."""
        ...

    def repair(self, name: str, namespace: str) -> None:
        """Take a release out of the state in which a killed helm left it; nothing happens when it is in none."""
        ...

    def install(  # noqa: PLR0913 - what, where, and for how long
        self,
        name: str,
        namespace: str,
        chart: Path | str,
        values: Mapping[str, Any],
        description: str,
        *,
        timeout_s: float = 60.0,
        stop: threading.Event | None = None,
    ) -> None:
        """Install or upgrade without waiting for pods, but for the chart's hooks, at most ``timeout_s``.

        A release that a killed run left pending is repaired first. ``stop`` ends it from another thread: the release
        has then failed, and can be upgraded.
        """
        ...

    def uninstall(self, name: str, namespace: str, *, hooks: bool = True) -> None:
        """Remove the release, with or without its hooks; nothing happens when there is none."""
        ...


@dataclass(frozen=True)
class Member:
    """A Serf member of the WAN pool: ``name`` is ``<node>.<datacenter>``; ``status`` alive, leaving, left or failed.

    ``address`` is the one by which the asked server knows it, which after a restart may be a former one.
    """

    name: str
    datacenter: str
    status: str
    address: str


class Consul(Protocol):
    """The HTTP API of one datacenter's servers, with the management token."""

    def leader(self) -> str:
        """The Raft leader's address, empty while there is none."""
        ...

    def wan_members(self) -> Sequence[Member]:
        """The WAN pool as this datacenter's server sees it."""
        ...

    def node_checks(self, node: str, datacenter: str) -> Sequence[Manifest]:
        """Health checks of a node, asked of another datacenter through the WAN."""
        ...

    def services(self, datacenter: str) -> Mapping[str, Sequence[str]]:
        """Service names and their tags in a datacenter's catalog."""
        ...

    def instances(self, service: str, datacenter: str) -> Sequence[Manifest]:
        """Catalog entries of a service in a datacenter."""
        ...

    def health(self, service: str, datacenter: str, *, proxies: bool = False, matching: str = "") -> Sequence[Manifest]:
        """Instances of a service (or their sidecars) with node and checks, healthy or not; ``matching`` is a filter."""
        ...

    def discovery_chain(self, service: str, datacenter: str) -> Manifest:
        """How a service of a datacenter is resolved here: ``/v1/discovery-chain``."""
        ...

    def allowed(self, source: str, destination: str) -> bool:
        """Whether this datacenter's intentions, or else the ACL default, let a service connect to another."""
        ...

    def config_entries(self, kind: str) -> Sequence[Manifest]:
        """Config entries of a kind, as this datacenter holds them."""
        ...

    def write_config_entry(self, entry: Manifest, *, cas: int | None = None) -> bool:
        """Create or replace a config entry (in the primary, wherever asked).

        With ``cas`` only while the entry's ModifyIndex is this one, 0 for no entry; False when it is another by now.
        """
        ...

    def delete_config_entry(self, kind: str, name: str, *, cas: int | None = None) -> bool:
        """Delete a config entry; nothing happens when it is gone.

        With ``cas`` only while its ModifyIndex is this one; False when it is another by now, or the entry is gone.
        """
        ...

    def policies(self) -> Mapping[str, Manifest]:
        """ACL policies by name, without their rules."""
        ...

    def policy_rules(self, names: Collection[str]) -> Mapping[str, str]:
        """The rules of these ACL policies, letter by letter as written; those that don't exist are left out."""
        ...

    def write_policy(self, name: str, rules: str, description: str) -> None:
        """Create or update an ACL policy."""
        ...

    def token(self, secret: str) -> Manifest | None:
        """What a token may do, asked with the token itself; None when this datacenter does not know it."""
        ...

    def write_token(self, secret: str, accessor: str, body: Manifest) -> None:
        """Create or update a token with exactly this secret and accessor."""
        ...

    def acl_replication(self) -> Manifest:
        """``/v1/acl/replication`` of this datacenter."""
        ...

    def ca_roots(self) -> Manifest:
        """``/v1/connect/ca/roots``: the mesh's trust domain and roots."""
        ...

    def leaf(self, service: str) -> Manifest:
        """A new certificate of a service with its key, PEM in ``CertPEM`` and ``PrivateKeyPEM``; a secret."""
        ...

    def gateways(self) -> Mapping[str, Sequence[Manifest]]:
        """Mesh gateways by datacenter, from the federation states."""
        ...

    def force_leave(self, member: str) -> None:
        """Remove a failed member from the WAN pool."""
        ...


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> datetime:
        """The wall clock, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Pause; ends at once with an error when the run is cancelled."""
        ...
