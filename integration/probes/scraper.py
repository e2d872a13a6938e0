"""A real Prometheus: scrapes a federation's agents through their API servers, and evaluates the chart's rules."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh

from meshkit.consul.names import AGENT_PORT, PROBE_SELECTOR
from meshkit.lab.waiting import wait_until

STARTED_S = 30.0


@dataclass(frozen=True)
class Prometheus:
    """One that runs; alerts as its API tells them."""

    url: str

    def firing(self, alert: str) -> set[tuple[str, str, str]]:
        """Source, destination and probe of each instance of an alert that fires now."""
        found = self._get("/api/v1/alerts")["alerts"]
        return {
            (labels.get("src_cluster", ""), labels.get("dst_cluster", ""), labels.get("probe", ""))
            for entry in found
            if entry["state"] == "firing" and (labels := entry["labels"])["alertname"] == alert
        }

    def values(self, query: str) -> dict[str, float]:
        """An instant query's values by source cluster."""
        found = self._get(f"/api/v1/query?query={quote(query)}")["result"]
        return {entry["metric"].get("src_cluster", ""): float(entry["value"][1]) for entry in found}

    def up(self) -> dict[str, str]:
        """Each target's health, by its job."""
        return {target["scrapePool"]: target["health"] for target in self._get("/api/v1/targets")["activeTargets"]}

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - http, on loopback
            return dict(json.load(answer)["data"])


@contextmanager
def prometheus(mesh: Mesh, rules: dict[str, Any], folder: Path) -> Iterator[Prometheus]:
    """Scrapes and evaluates every second; its log is in the error when it does not start."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [_scrape(mesh, name, folder) for name in mesh.names],
    }
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log) as process,
    ):
        try:
            running = Prometheus(f"http://127.0.0.1:{port}")
            wait_until(
                lambda: process.poll() is not None or _ready(running.url), STARTED_S, "a Prometheus that is ready"
            )
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield running
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310 - http, on loopback
            return True
    except OSError:
        return False


def _scrape(mesh: Mesh, name: str, folder: Path) -> dict[str, Any]:
    """The agent of one cluster, by the API server's pod proxy, with the kubeconfig's own certificate."""
    cluster, user = _access(mesh.lab, name)
    files = {"ca": cluster["certificate-authority-data"]}
    files |= {"cert": user["client-certificate-data"], "key": user["client-key-data"]}
    for kind, content in files.items():
        path = folder / f"{name}.{kind}"
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(content))
    pods = mesh.lab.get(name, "-n", NAMESPACE, "pods", "-l", PROBE_SELECTOR)["items"]
    pod = pods[0]["metadata"]["name"]
    return {
        "job_name": name,
        "scheme": "https",
        "metrics_path": f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{AGENT_PORT}/proxy/metrics",
        "tls_config": {f"{kind}_file": str(folder / f"{name}.{kind}") for kind in files},
        "static_configs": [{"targets": [urlsplit(cluster["server"]).netloc]}],
    }


def _access(lab: Lab, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Cluster and user of a context."""
    config = yaml.safe_load(lab.kubeconfig.read_text())
    (context,) = (entry["context"] for entry in config["contexts"] if entry["name"] == name)
    (cluster,) = (entry["cluster"] for entry in config["clusters"] if entry["name"] == context["cluster"])
    (user,) = (entry["user"] for entry in config["users"] if entry["name"] == context["user"])
    return cluster, user
