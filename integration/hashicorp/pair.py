"""Two clusters with the official chart: how they are reached, and what their Consuls say without meshkit's help."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from clusters import Lab
from hashicorp.given import Given

from meshkit.consul import images
from meshkit.errors import DeadlineError
from meshkit.lab import toolchain
from meshkit.lab.waiting import wait_until

NAMESPACE = "consul"
PRIMARY, SECONDARY = DATACENTERS = ("aks", "eks")
CRDS = "consul.hashicorp.com"
IMAGES = ("image", "imageK8S", "imageConsulDataplane")
"""Keys of the chart's global values that name an image of a pod."""

SETTLED_S = 180.0
"""The longest wait for anything that comes true by itself; each wait ends as soon as it is true."""

GONE_S = 30.0
"""How long a cluster may take for what it removes by itself."""

SERVER = "https://127.0.0.1:8501"
CA_FILE = "/consul/tls/ca/tls.crt"


@dataclass(frozen=True)
class Official(Lab):
    """``names`` are the contexts of the datacenters aks and eks, the primary first."""

    given: Given | None = None

    @property
    def has(self) -> Given:
        """What is at hand; there is always something by the time that clusters are."""
        assert self.given
        return self.given

    @property
    def contexts(self) -> dict[str, str]:
        """Context by datacenter."""
        return dict(zip(DATACENTERS, self.names, strict=True))

    def helm(self, context: str, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """Run helm against a cluster; what it printed."""
        command = [str(toolchain.tool("helm")), "--kube-context", context, *arguments]
        return self._run(command, text=text, check=check).stdout

    def chart_values(self) -> dict[str, Any]:
        """The chart's own values, of those that matter here: which images it runs."""
        command = [str(toolchain.tool("helm")), "show", "values", *self.has.for_helm]
        return dict(yaml.safe_load(self._run(command, check=True).stdout))

    def version(self, chart: str = "") -> str:
        """The version of the chart, or of another one at hand: a path, or the version itself."""
        if chart and not Path(chart).exists():
            return chart
        command = [str(toolchain.tool("helm")), "show", "chart", *((chart,) if chart else self.has.for_helm)]
        return str(yaml.safe_load(self._run(command, check=True).stdout)["version"])

    def description(self, values: dict[str, Any]) -> dict[str, Any]:
        """The mesh.yaml of what ``federate`` makes, with Helm values for each datacenter."""
        given, datacenters = self.has, self.contexts.items()
        described: dict[str, Any] = {"chart": given.chart} if given.packed else {"chartRepo": given.chart}
        described |= {"chartVersion": given.version} if given.version and not given.packed else {}
        described |= {"imageRegistry": given.registry} if given.registry else {}
        return described | {"datacenters": {dc: {"context": name, "values": values} for dc, name in datacenters}}

    def images(self) -> dict[str, str]:
        """The images that the chart runs, by key of its global values, from the registry that was named."""
        values = self.chart_values()["global"]
        named = {key: str(values[key]).strip('"') for key in IMAGES}
        registry = self.has.registry
        return {key: f"{registry}/{name}" if registry else name for key, name in named.items()}

    def own_image(self, name: str) -> str:
        """An image that meshkit's charts run beside it, from the registry that was named."""
        return f"{self.has.registry or images.DEFAULT}/{name}"

    def federate(self, *arguments: str) -> dict[str, Any]:
        """``meshkit federate`` with the chart at hand; its result."""
        clusters = [f"{dc}={context}" for dc, context in self.contexts.items()]
        words = ("federate", *clusters, *self.has.for_meshkit, *arguments, "--output", "json")
        return dict(json.loads(self.meshkit(*words).stdout))

    def complaints(self) -> list[dict[str, Any]]:
        """What ``meshkit check`` does not pass."""
        checks = json.loads(self.meshkit("check", "--output", "json", check=False).stdout)
        return [check for check in checks if check["verdict"] != "pass"]

    def changes_again(self) -> list[dict[str, Any]]:
        """What another ``federate`` changed; to wait and to verify are no changes."""
        changes = [change for step in self.federate()["steps"] for change in step["changes"]]
        return [change for change in changes if change["action"] not in ("await", "verify")]

    def secret(self, context: str, name: str, key: str) -> str:
        """A value of a Secret of Consul's namespace."""
        held = self.get(context, "-n", NAMESPACE, "secret", name)["data"][key]
        return base64.b64decode(held).decode()

    def consul(self, datacenter: str, path: str, token: str) -> Any:
        """What a datacenter's first server answers; curl in its pod reads the token from standard input."""
        words = ("exec", "-i", "consul-server-0", "-c", "consul", "--")
        curl = ("curl", "-sS", "--fail", "--max-time", "5", "--cacert", CA_FILE, "-H", "@-", f"{SERVER}{path}")
        header = f"X-Consul-Token: {token}"
        answer = self.kubectl(self.contexts[datacenter], "-n", NAMESPACE, *words, *curl, text=header)
        return json.loads(answer)

    def alive(self, datacenter: str, token: str) -> dict[str, bool]:
        """WAN members as a datacenter's server sees them: name to whether alive (status 1 in Serf's numbering)."""
        return {m["Name"]: m["Status"] == 1 for m in self.consul(datacenter, "/v1/agent/members?wan=1", token)}

    def see_each_other(self, token: str) -> None:
        """Wait until each datacenter's server sees both alive."""
        for datacenter in DATACENTERS:
            settles(
                lambda dc=datacenter: list(self.alive(dc, token).values()) == [True, True], f"{datacenter} to see both"
            )

    def leftovers(self, context: str) -> Iterator[str]:
        """Everything of a Consul that is left in a cluster, by kind and name; nothing, after it was removed."""
        for crd in self.kubectl(context, "get", "crd", "-o", "name").split():
            if crd.endswith(CRDS):
                yield crd
        for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration", "clusterrole"):
            for name in self.kubectl(context, "get", kind, "-o", "name").split():
                if "consul" in name or "meshkit" in name:
                    yield name
        for volume in self.get(context, "pv")["items"]:
            if volume["spec"].get("claimRef", {}).get("namespace") == NAMESPACE:
                yield f"persistentvolume/{volume['metadata']['name']}"
        yield from self.kubectl(context, "get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name").split()

    def is_clean(self, context: str) -> bool:
        """Whether nothing of a Consul is left in a cluster, waited for a moment: volumes go after their claims."""
        with contextlib.suppress(DeadlineError):
            settles(lambda: not list(self.leftovers(context)), f"{context} to hold nothing of Consul", GONE_S)
        return not list(self.leftovers(context))


def settles(condition: Callable[[], bool], what: str, timeout_s: float = SETTLED_S) -> None:
    """Wait until a condition holds; a command in it that fails means "not yet"."""

    def holds() -> bool:
        with contextlib.suppress(AssertionError, subprocess.SubprocessError):
            return condition()
        return False

    wait_until(holds, timeout_s, what)


def open_lab(given: Given, folder: Path, names: Sequence[str]) -> Official:
    """The clusters with a kubeconfig and state of this run's own."""
    return Official(tuple(names), folder / "kubeconfig", folder / "state", given)


def users_kubeconfig() -> Path:
    """Where the contexts of given clusters are; KUBECONFIG may name several files."""
    return Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
