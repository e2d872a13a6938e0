"""Asks blackbox_exporter for probes at a rate, and prints host, start and reported round trip of each that succeeded.

Arguments: mechanism, seconds, probes a second, hosts. Threads, since each scrape lasts as long as its probe.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import urllib.request

from bench.probers import blackbox_url, read, wait_for

THREADS = 50
FIELDS = {"tcp": "probe_duration_seconds", "icmp": 'probe_icmp_duration_seconds{phase="rtt"}'}


def main(mechanism: str, seconds: str, rate: str, *hosts: str) -> None:
    """Scrape until the time is over."""
    wait_for(blackbox_url("tcp", hosts[0]).partition("/probe")[0] + "/-/healthy")
    begin, lock = time.monotonic(), threading.Lock()
    number = iter(range(int(float(seconds) * float(rate))))

    def scrape() -> None:
        while True:
            with lock:
                place = next(number, None)
            if place is None:
                return
            time.sleep(max(0.0, begin + place / float(rate) - time.monotonic()))
            host, at = hosts[place % len(hosts)], time.time()
            text = read(blackbox_url(mechanism, host))
            match = re.search(rf"^{re.escape(FIELDS[mechanism])} ([0-9.e-]+)$", text, re.MULTILINE)
            if match and "\nprobe_success 1\n" in text:
                with lock:
                    print(host, at, match[1])

    threads = [threading.Thread(target=scrape) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    main(*sys.argv[1:])
