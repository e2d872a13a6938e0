"""Work beside the loop: others go on, and its outcome arrives."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import dns.message
import dns.rrset
import pytest

from meshkit.probes.aside import aside
from meshkit.probes.loop import MAIL, Loop, Steps
from meshkit.probes.mechanisms import dns as mechanism
from meshkit.probes.sample import Record


def end(loop: Loop, steps: Callable[[Record], Steps]) -> Record:
    ended: list[Record] = []
    loop.spawn(steps(record := Record()), record, monotonic() + 10, ended.append)
    while not ended:
        loop.turn(monotonic() + 0.05)
    return ended[0]


def test_other_probes_go_on_while_it_works() -> None:
    loop, others_went = Loop(), threading.Event()

    def slow(record: Record) -> Steps:
        record.facts["in time"] = yield from aside(lambda: others_went.wait(5))

    def other(_: Record) -> Steps:
        others_went.set()
        yield MAIL, object(), monotonic()

    ended: list[Record] = []
    loop.spawn(slow(first := Record()), first, monotonic() + 10, ended.append)
    end(loop, other)
    while not ended:
        loop.turn(monotonic() + 0.05)
    loop.close()
    assert (first.reason, first.facts) == ("ok", {"in time": True})


def test_what_it_raises_ends_its_probe() -> None:
    loop = Loop()

    def steps(_: Record) -> Steps:
        yield from aside(lambda: 1 // 0)

    assert end(loop, steps).detail.startswith("ZeroDivisionError")
    loop.close()


@pytest.mark.parametrize(("records", "beside"), [(3, False), (2000, True)])
def test_a_dns_message_of_thousands_of_records_is_read_beside_the_loop(records: int, beside: Any) -> None:
    query = dns.message.make_query("web.example", "A")
    answer = dns.message.make_response(query)
    addresses = [f"10.0.{number >> 8}.{number & 255}" for number in range(records)]
    answer.answer.append(dns.rrset.from_text("web.example.", 1, "IN", "A", *addresses))
    steps = mechanism.heard(answer.to_wire(max_size=65535), query)
    waits = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found, why = done.value
            break
        waits += 1
        threading.Event().wait(0.001)
    assert (len(found.answer[0]), why, waits > 0) == (records, "", beside)


def test_scapy_is_imported_beside_the_loop() -> None:
    code = (
        "import sys; from meshkit.probes.mechanisms.syns import loaded\n"
        "steps = loaded(); next(steps)\n"
        "assert 'scapy.layers.inet6' not in sys.modules\n"
        "waits = sum(1 for _ in steps)\n"
        "assert 'scapy.layers.inet6' in sys.modules\n"
        "assert list(loaded()) == []\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
