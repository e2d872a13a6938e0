"""How an integration test reaches the lab's clusters, and the small workloads it puts into them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.lab import toolchain

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
FIRST, SECOND, THIRD = os.environ.get(
    "MESHKIT_TEST_CLUSTERS", f"test{WORKER}-aks,test{WORKER}-eks,test{WORKER}-gcp"
).split(",")
"""Each worker of a run has clusters of its own; other names let two runs stand beside each other on one machine."""

PAIR = (FIRST, SECOND)
DELAY_S = 0.035
WAN = ("--delay", "35ms", "--jitter", "0ms", "--loss", "0%", "--mtu", "1500")
LONGEST_S = 900.0
"""More than any command takes: one that hangs is a failed test, not a run without an end."""

WEB_PORT = 8080
CONSUL_IMAGE = "hashicorp/consul:1.22.7"
"""In every node of the lab, and has a shell: it serves as the tests' own pod too."""


@dataclass(frozen=True)
class Lab:
    """The session's clusters and how to reach them: ``names`` are contexts of ``kubeconfig``."""

    names: tuple[str, ...]
    kubeconfig: Path
    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """For every program that a test starts: this session's kubeconfig and state, nobody else's."""
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "MESHKIT_STATE_DIR": str(self.state)}

    def meshkit(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run this tree's meshkit to its end; its output is the failure's text."""
        return self._run([str(Path(sys.executable).with_name("meshkit")), *arguments], check=check)

    def kubectl(self, context: str, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """Run kubectl against a cluster; what it printed."""
        command = [str(toolchain.tool("kubectl")), "--context", context, *arguments]
        return self._run(command, text=text, check=check).stdout

    def get(self, context: str, *arguments: str) -> dict[str, Any]:
        """``kubectl get -o json``."""
        return dict(json.loads(self.kubectl(context, "get", *arguments, "-o", "json")))

    def apply(self, context: str, namespace: str, *manifests: dict[str, Any]) -> None:
        """``kubectl apply`` of manifests, then wait until the pods among them are ready."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl(context, "-n", namespace, "apply", "-f", "-", text=json.dumps(document))
        for manifest in manifests:
            if manifest["kind"] == "Pod":
                name = manifest["metadata"]["name"]
                self.kubectl(context, "-n", namespace, "wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")

    def _run(self, command: list[str], *, check: bool, text: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            timeout=LONGEST_S,
        )
        shown = f"$ {' '.join(command)}\nexit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert not check or done.returncode == 0, shown
        return done


def pod(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A pod that runs a shell script as uid 100; ``container`` adds to its container, the rest to the spec."""
    container = {"name": "main", "image": CONSUL_IMAGE, "command": ["/bin/sh", "-c", script]}
    container |= more.pop("container", {})
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False} | more
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def web() -> dict[str, Any]:
    """The pod ``web`` that serves the word hello over HTTP."""
    script = f"mkdir -p /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -vv -p {WEB_PORT} -h /tmp/www"
    probe = {"readinessProbe": {"httpGet": {"path": "/", "port": WEB_PORT}, "periodSeconds": 1}}
    return pod("web", script, container=probe)


def service(name: str, kind: str, port: int) -> dict[str, Any]:
    """A Service for the pod ``web``."""
    ports = [{"port": port, "targetPort": WEB_PORT}]
    spec = {"type": kind, "selector": {"app": "web"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
