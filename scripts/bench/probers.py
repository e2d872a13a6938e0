"""The three probers, each asked for the same: so many targets of one mechanism, each at an interval."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ground import OTHER_CORE, PARTS, PROBER_CORE, Ground, cpu_s, end
from meshkit.lab import toolchain

PORTS = {"tcp": 7001, "http": 7002, "udp": 7003}
BLACKBOX_PORT, CLOUDPROBER_PORT = 9215, 9313
TIMEOUT_S = 1.0
WARM_UP_S = 2.0
DEPTH = 100
"""Scrapes under way at blackbox_exporter; more only queue in it."""

MODULES = """\
modules:
  tcp: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}
  http: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}
  icmp: {prober: icmp, timeout: 2s, icmp: {preferred_ip_protocol: ip4}}
"""


@dataclass(frozen=True)
class Load:
    """What is asked of a prober. Together the targets ask for ``rate`` probes a second."""

    mechanism: str
    hosts: Sequence[str]
    rate: float
    seconds: float

    @property
    def interval_s(self) -> float:
        """Of one target."""
        return len(self.hosts) / self.rate


@dataclass(frozen=True)
class Score:
    """Probes that succeeded and failed, and the prober's user and system seconds for both."""

    ok: int
    failed: int
    cpu_s: float
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Successful probes per second of one core."""
        return self.ok / self.cpu_s if self.cpu_s else 0.0


def loopback(count: int) -> list[str]:
    """Addresses that need no set-up."""
    return [f"127.{1 + place // 62500}.{place // 250 % 250}.{1 + place % 250}" for place in range(count)]


def target(mechanism: str, host: str) -> dict[str, Any]:
    """One target in meshkit's own words."""
    if mechanism == "http":
        return {"url": f"http://{host}:{PORTS['http']}/"}
    return {"host": host, "port": PORTS[mechanism]} if mechanism in PORTS else {"host": host}


def drive(ground: Ground, wanted: dict[str, Any], *, core: int, namespace: str = "") -> dict[str, Any]:
    """Run meshkit's engine in a process (``driver``) and return what it saw."""
    process = ground.start(
        sys.executable, "-m", "bench.driver", core=core, namespace=namespace, cwd=PARTS.parent,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = process.communicate(json.dumps(wanted))
    if process.returncode:
        raise SystemExit(f"bench-probes: meshkit's prober failed; see {ground.folder}")
    answer: dict[str, Any] = json.loads(output)
    return answer


def meshkit(ground: Ground, load: Load) -> Score:
    """Our own engine."""
    targets = [target(load.mechanism, host) for host in load.hosts]
    wanted = {"mechanism": load.mechanism, "targets": targets, "interval_s": load.interval_s,
              "timeout_s": TIMEOUT_S, "for_s": load.seconds}  # fmt: skip
    seen = drive(ground, wanted, core=PROBER_CORE)
    return Score(seen["ok"], sum(seen["reasons"].values()) - seen["ok"], seen["cpu_s"], seen["wall_s"])


def blackbox(ground: Ground, load: Load) -> Score:
    """blackbox_exporter, asked by meshkit's engine on the other core; a scrape is a probe."""
    process = start_blackbox(ground)
    targets = [{"url": blackbox_url(load.mechanism, host), "contains": "probe_success 1\n"} for host in load.hosts]
    wanted = {"mechanism": "http", "targets": targets, "interval_s": load.interval_s, "timeout_s": 5.0,
              "for_s": load.seconds, "limit": DEPTH}  # fmt: skip
    before = cpu_s(process.pid)
    seen = drive(ground, wanted, core=OTHER_CORE)
    used = cpu_s(process.pid) - before
    end(process)
    return Score(seen["ok"], sum(seen["reasons"].values()) - seen["ok"], used, seen["wall_s"])


def start_blackbox(ground: Ground, namespace: str = "") -> subprocess.Popen[str]:
    """The exporter, when it answers."""
    config = ground.folder / "blackbox.yml"
    config.write_text(MODULES, encoding="utf-8")
    listen = f"--web.listen-address=127.0.0.1:{BLACKBOX_PORT}"
    argv = (toolchain.peer("blackbox_exporter"), f"--config.file={config}", listen, "--log.level=error")
    process = ground.start(*argv, core=PROBER_CORE, namespace=namespace)
    if not namespace:
        wait_for(f"http://127.0.0.1:{BLACKBOX_PORT}/-/healthy")
    return process


def blackbox_url(mechanism: str, host: str) -> str:
    """The scrape that is one probe."""
    address = f"{host}:{PORTS[mechanism]}" if mechanism in PORTS else host
    address = f"http://{address}/" if mechanism == "http" else address
    return f"http://127.0.0.1:{BLACKBOX_PORT}/probe?module={mechanism}&target={address}"


def cloudprober(ground: Ground, load: Load) -> Score:
    """The peer's own loop; its counters are read before and after."""
    process = start_cloudprober(ground, load, export_s=1.0)
    url = f"http://127.0.0.1:{CLOUDPROBER_PORT}/metrics"
    wait_for(url, lambda text: counter(text, "success") > 0)
    time.sleep(WARM_UP_S)
    text, used, begin = read(url), cpu_s(process.pid), time.monotonic()
    time.sleep(load.seconds)
    after, used, wall_s = read(url), cpu_s(process.pid) - used, time.monotonic() - begin
    end(process)
    ok = counter(after, "success") - counter(text, "success")
    return Score(ok, max(0, counter(after, "total") - counter(text, "total") - ok), used, wall_s)


def start_cloudprober(
    ground: Ground, load: Load, export_s: float, namespace: str = "", file: Path | None = None
) -> subprocess.Popen[str]:
    """Start cloudprober with one probe over all hosts."""
    kinds = {"tcp": "TCP", "http": "HTTP", "udp": "UDP", "icmp": "PING"}
    interval_ms = max(1, round(load.interval_s * 1000))
    options = {"icmp": "ping_probe { packets_per_probe: 1 }", "udp": f"udp_probe {{ port: {PORTS['udp']} }}"}
    port = PORTS.get(load.mechanism)
    options |= {name: f"{name}_probe {{ port: {port} }}" for name in ("tcp", "http")}
    surfacer = f'surfacer {{ type: FILE file_surfacer {{ file_path: "{file}" }} }}' if file else ""
    config = ground.folder / "cloudprober.cfg"
    config.write_text(
        f"""probe {{
  name: "bench" type: {kinds[load.mechanism]}
  targets {{ host_names: "{",".join(load.hosts)}" }}
  interval_msec: {interval_ms} timeout_msec: {max(1, interval_ms - 1)}
  stats_export_interval_msec: {max(interval_ms, round(export_s * 1000))}
  {options[load.mechanism]}
}}
port: {CLOUDPROBER_PORT}
host: "127.0.0.1"
surfacer {{ type: PROMETHEUS }}
{surfacer}
""",
        encoding="utf-8",
    )
    argv = (toolchain.peer("cloudprober"), f"--config_file={config}", "--min_log_level=ERROR")
    return ground.start(*argv, core=PROBER_CORE, namespace=namespace)


def counter(text: str, name: str) -> int:
    """The sum of a counter over all targets."""
    return sum(int(float(value)) for value in re.findall(rf"^{name}{{[^}}]*}} ([0-9.e+]+)", text, re.MULTILINE))


def read(url: str) -> str:
    """What a page says."""
    with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310, an address of our own
        text: str = page.read().decode()
    return text


def wait_for(url: str, good: Callable[[str], bool] = bool, limit_s: float = 20.0) -> None:
    """Until a page is there, and good."""
    until = time.monotonic() + limit_s
    while True:
        try:
            if good(read(url)):
                return
        except OSError:
            pass
        if time.monotonic() > until:
            raise SystemExit(f"bench-probes: {url} never answered as it should")
        time.sleep(0.1)


ALL: dict[str, Callable[[Ground, Load], Score]] = {
    "meshkit": meshkit,
    "blackbox": blackbox,
    "cloudprober": cloudprober,
}
