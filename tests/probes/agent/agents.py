"""A whole agent under test: its process, its files, and the questions that one asks it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.probe import Probe, Series
from probes.agent import tls
from probes.agent.servers import CONSUL_TOKEN, NAMESPACE, TOKEN, FakeConsul, FakeKubernetes

DEADLINE_S = 20.0


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s:.0f} s: {what}"
        threading.Event().wait(0.02)
    return value


def probe(
    name: str, port: int, *, interval_s: float = 0.05, rung: str = "network", service: str = "gateway"
) -> dict[str, Any]:
    """A TCP probe's JSON."""
    series = Series("aks", "eks", service, rung)
    return Probe(name, series, TcpTarget("127.0.0.1", port), interval_s=interval_s, timeout_s=1.0).as_wire()


class Agent:
    """An agent's folder and settings; ``running`` is its process."""

    def __init__(self, folder: Path, kubernetes: FakeKubernetes, consul: FakeConsul | None = None) -> None:
        self.folder = folder
        account = folder / "account"
        account.mkdir()
        (account / "token").write_text(TOKEN)
        (account / "ca.crt").write_text(tls.ca())
        self.token, self.account = account / "token", account
        self.settings: dict[str, Any] = {
            "source": "aks",
            "federation": "mesh",
            "listen": 0,
            "address": "127.0.0.1",
            "data": str(folder / "data"),
            "kubernetes": {
                "namespace": NAMESPACE,
                "server": kubernetes.url,
                "service_account": str(account),
                "schedule_s": 0.1,
                "flush_s": 0.2,
            },
        }
        if consul:
            (folder / "consul-token").write_text(CONSUL_TOKEN)
            self.settings["identity"] = {
                "server": consul.url,
                "server_name": "server.aks.consul",
                "ca": str(account / "ca.crt"),
                "token_file": str(folder / "consul-token"),
                "service": "mesh-probe-aks",
                "directory": str(folder / "identity"),
            }
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.events: list[dict[str, Any]] = []

    @contextmanager
    def running(self) -> Iterator[Agent]:
        """Start it, and see that it has ended afterwards."""
        path = self.folder / "agent.json"
        path.write_text(json.dumps(self.settings))
        argv = [sys.executable, "-m", "meshkit.probes.agent", "serve", "--config", str(path)]
        self.port, self.events = 0, []
        with subprocess.Popen(
            argv, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONWARNINGS": "error"}
        ) as process:
            self.process = process
            listening = threading.Thread(target=self._listen, args=(process,), daemon=True)
            listening.start()
            try:
                until(lambda: self.port or process.poll() is not None, "the agent serves")
                yield self
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                listening.join(5)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stderr or ():
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "not JSON", "line": line}
            self.events.append(event)
            if event["event"] == "serving":
                self.port = event["port"]

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def ask(self, path: str) -> Any:
        """An answer's JSON."""
        return json.loads(self.get(path)[1])

    def metric(self, name: str, *labels: str) -> float | None:
        """The sum of a metric over the series that have all these labels; None when there is none."""
        values = [
            float(line.rpartition(" ")[2])
            for line in self.get("/metrics")[1].decode().splitlines()
            if line.startswith(f"{name}{{") and all(label in line for label in labels)
        ]
        return sum(values) if values else None

    def sent(self, service: str = "gateway") -> int:
        """Samples of a service's series that results hold."""
        windows = self.ask("/results")["windows"]
        return sum(sum(w.get("reasons", {}).values()) for w in windows if w["series"]["service"] == service)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its end."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(10)
