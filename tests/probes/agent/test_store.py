"""The bounded history: in memory, on disk, in ConfigMaps, through kills, damage and years of windows."""

from __future__ import annotations

import base64
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshkitError
from meshkit.probes.agent import config, segments
from meshkit.probes.agent.journal import Journal
from meshkit.probes.agent.kubernetes import Kubernetes
from meshkit.probes.agent.log import Log
from meshkit.probes.agent.segments import Segments, lines_of
from meshkit.probes.agent.store import KEY, SEGMENT, Store
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary
from probes.agent import tls
from probes.agent.agents import until
from probes.agent.servers import NAMESPACE, TOKEN, FakeKubernetes

OPEN: list[Store] = []
SIZE = 4096
COUNT = 4


def window(begin: float, series: int = 3) -> list[Summary]:
    """A window of a few series, alike and not the same."""
    found = []
    for place in range(series):
        summary = Summary(Series("aks", "eks", f"service-{place}", "mesh"), begin, 60.0)
        for step in range(5):
            rtt_s = 0.07 + (begin * 7 + place * 13 + step * 17) % 101 / 1e4
            summary.add(Sample("p", begin, "ok", phases={"connect": rtt_s}, rtt_s=rtt_s, rtt_source="kernel"))
        found.append(summary)
    return found


def _settings(folder: Path, kubernetes: FakeKubernetes, **changes: Any) -> config.Kubernetes:
    account = folder / "account"
    account.mkdir(exist_ok=True)
    (account / "token").write_text(TOKEN)
    (account / "ca.crt").write_text(tls.ca())
    given = {"segments": COUNT, "segment_bytes": SIZE} | changes
    return config.Kubernetes(NAMESPACE, server=kubernetes.url, service_account=str(account), **given)


def _store(folder: Path, kubernetes: FakeKubernetes, *, data: str = "data", **changes: Any) -> Store:
    given = _settings(folder, kubernetes, **changes)
    store = Store(given, Kubernetes(given), folder / data, Log())
    OPEN.append(store)
    return store


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test's stores have open; a process that ends does so too."""
    yield
    while OPEN:
        OPEN.pop().close()


def _begins(wires: Any) -> list[float]:
    return sorted({wire.get("begin", 0.0) for wire in wires})


def _in_cluster(kubernetes: FakeKubernetes) -> list[float]:
    lines = [
        json.loads(line)
        for name, item in kubernetes.maps.items()
        if name.startswith("mesh-probe-results-")
        for line in gzip.decompress(base64.b64decode(item["binaryData"][KEY])).splitlines()
    ]
    return _begins(lines)


def test_weeks_of_windows_stay_within_size_and_hold_the_newest(
    tmp_path: Path, kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr(segments, "time", lambda: clock[0])
    store = _store(tmp_path, kubernetes)
    for minute in range(3 * 7 * 24 * 60 // 10):
        clock[0] += 600
        store.keep(window(clock[0]))
        if minute % 200 == 0:
            store.flush()
    store.flush()
    held = [item for name, item in kubernetes.maps.items() if name.startswith("mesh-probe-results-")]
    assert len(held) == COUNT
    assert all(len(base64.b64decode(item["binaryData"][KEY])) <= SIZE for item in held)
    begins = _in_cluster(kubernetes)
    assert begins[-1] == clock[0]
    assert begins == [clock[0] - 600 * back for back in reversed(range(len(begins)))]  # no hole among the newest
    assert len(begins) > 30
    assert _begins(store.since(0)) == begins
    assert len(list((tmp_path / "data").iterdir())) <= COUNT


def test_since_leaves_out_what_ended_before(tmp_path: Path, kubernetes: FakeKubernetes) -> None:
    store = _store(tmp_path, kubernetes)
    for begin in (0.0, 60.0, 120.0):
        store.keep(window(begin))
    assert _begins(store.since(60.0)) == [60.0, 120.0]
    assert _begins(store.since(1e9)) == []


def test_a_new_pod_goes_on_where_the_last_one_ended(tmp_path: Path, kubernetes: FakeKubernetes) -> None:
    first = _store(tmp_path, kubernetes)
    first.keep(window(0.0))
    first.flush()
    second = _store(tmp_path, kubernetes, data="other")
    second.look()
    second.keep(window(60.0))
    second.flush()
    assert _in_cluster(kubernetes) == [0.0, 60.0]
    assert len(kubernetes.maps) == 1  # the segment of before was not full
    third = _store(tmp_path, kubernetes, data="other")  # a container of the same pod, which has its part in the journal
    third.look()
    assert _begins(third.since(0)) == [0.0, 60.0]


def test_what_was_kept_before_the_cluster_could_be_asked_is_added_to_what_it_holds(
    tmp_path: Path, kubernetes: FakeKubernetes
) -> None:
    first = _store(tmp_path, kubernetes)
    first.keep(window(0.0))
    first.flush()
    second = _store(tmp_path, kubernetes, data="other")
    second.keep(window(60.0))
    second.flush()
    assert _in_cluster(kubernetes) == [0.0, 60.0]
    assert _begins(second.since(0)) == [0.0, 60.0]


def test_a_flush_killed_between_two_configmaps_is_finished_by_the_next_process(
    tmp_path: Path, kubernetes: FakeKubernetes
) -> None:
    first = _store(tmp_path, kubernetes)
    for minute in range(60):
        first.keep(window(60.0 * minute))
    written = []

    def one_only(method: str, _path: str) -> tuple[int, bytes] | None:
        if method == "GET":
            return None
        written.append(method)
        return None if len(written) == 1 else (500, b"{}")

    healthy, kubernetes.fault = kubernetes.fault, one_only
    with pytest.raises(MeshkitError):
        first.flush()
    assert len(_in_cluster(kubernetes)) < 60
    kubernetes.fault = healthy
    second = _store(tmp_path, kubernetes)
    second.flush()
    assert _in_cluster(kubernetes) == _begins(second.since(0)) == _begins(first.since(0))


def test_another_writer_is_looked_at_again_and_nothing_of_it_is_lost(
    tmp_path: Path, kubernetes: FakeKubernetes
) -> None:
    one, other = _store(tmp_path, kubernetes), _store(tmp_path, kubernetes, data="other")
    for store, begin in ((one, 0.0), (other, 60.0), (one, 120.0), (other, 180.0)):
        store.keep(window(begin))
        store.flush()
    assert _in_cluster(kubernetes) == [0.0, 60.0, 120.0, 180.0]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("%%%", id="not base64"),
        pytest.param(base64.b64encode(b"garbage").decode(), id="not gzip"),
        pytest.param(base64.b64encode(gzip.compress(b"not JSON\n[]\n{}\n")).decode(), id="lines that are no summaries"),
        pytest.param(base64.b64encode(gzip.compress(b"x" * 5000 + b"\n")[:30]).decode(), id="cut off"),
        pytest.param(3, id="a number"),
    ],
)
def test_a_damaged_configmap_costs_only_itself(tmp_path: Path, kubernetes: FakeKubernetes, content: Any) -> None:
    first = _store(tmp_path, kubernetes)
    first.keep(window(0.0))
    first.flush()
    labels = {"app": "mesh-probe", "component": "results"}
    metadata = {"labels": labels, "annotations": {SEGMENT: "77"}}
    kubernetes.set("mesh-probe-results-3", {"metadata": metadata, "binaryData": {KEY: content}})
    second = _store(tmp_path, kubernetes, data="other")
    second.look()
    assert _begins(second.since(0)) == [0.0]
    second.keep(window(60.0))
    second.flush()
    assert _begins(second.since(0)) == [0.0, 60.0]


def test_a_bomb_in_a_configmap_is_not_expanded() -> None:
    bomb = gzip.compress(b"\n" * (1 << 28))
    assert lines_of(bomb, 1 << 20) == []


WRITER = """
import sys
from pathlib import Path
from meshkit.probes.agent.journal import Journal
from meshkit.probes.agent.log import Log
journal = Journal(Path(sys.argv[1]), 4, Log())
number = 0
while True:
    journal.append(number // 500, [b'{"n": %d, "filler": "%s"}' % (number, b"x" * 3000)])
    number += 1
"""


def test_a_writer_killed_at_any_time_leaves_whole_lines_only(tmp_path: Path) -> None:
    for round_ in range(5):
        folder = tmp_path / str(round_)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)]) as writer:
            least = 1 << (16 + round_)
            until(lambda f=folder, n=least: sum(p.stat().st_size for p in f.glob("segment-*")) > n, "it writes")
            writer.send_signal(signal.SIGKILL)
        journal = Journal(folder, COUNT, Log())
        numbers = [json.loads(line)["n"] for lines in journal.read().values() for line in lines]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        last = max(journal.read())
        journal.append(last, [b'{"n": -1}'])
        journal.close()
        assert journal.read()[last][-1] == b'{"n": -1}'


@pytest.mark.parametrize("cut", [1, 5, 9, 17])
def test_a_torn_last_line_is_ignored_and_written_after(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, COUNT, Log())
    journal.append(1, [b'{"a": 1}', b'{"b": 2}'])
    journal.close()
    path = tmp_path / "segment-1.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(tmp_path, COUNT, Log())
    kept = again.read()[1]
    assert kept == ([b'{"a": 1}', b'{"b": 2}'] if cut == 1 else [b'{"a": 1}'])
    again.append(1, [b'{"c": 3}'])
    again.close()
    assert again.read()[1] == [*kept, b'{"c": 3}']


def test_a_disk_that_takes_nothing_costs_the_copy_only(tmp_path: Path, kubernetes: FakeKubernetes) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    store = _store(tmp_path, kubernetes)
    store.keep(window(0.0))
    store.flush()
    assert _in_cluster(kubernetes) == [0.0]
    assert store.left_out == 1


def test_a_window_larger_than_a_segment_is_spread_and_one_larger_line_left_out() -> None:
    ring = Segments(3, SIZE)
    lines = [f"{place} {place * 7919 % 100_003}".encode() * 3 for place in range(800)]
    ring.add(lines)
    found = [line for segment in ring.all for line in lines_of(segment.content(), 1 << 20)]
    assert found == lines
    assert len(ring.all) > 1
    import random  # noqa: PLC0415, for bytes that do not compress

    ring.add([random.Random(1).randbytes(2 * SIZE).replace(b"\n", b" ")])  # noqa: S311
    assert ring.left_out == 1


def test_smaller_segments_than_before_keep_the_newest_lines(tmp_path: Path, kubernetes: FakeKubernetes) -> None:
    first = _store(tmp_path, kubernetes, segment_bytes=65536)
    for minute in range(200):
        first.keep(window(60.0 * minute))
    first.flush()
    second = _store(tmp_path, kubernetes, segment_bytes=SIZE)
    begins = _begins(second.since(0))
    assert begins[-1] == 60.0 * 199
    assert 3 < len(begins) < 200
