"""What agents make of each other's views, whole or damaged, and of a peer that hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from meshkit.probes.agent import views
from meshkit.probes.agent.views import Views
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary
from probes import responders
from probes.agent.agents import Agent, probe, until
from probes.agent.servers import FakeKubernetes, serving

TARGET = ("zks", "web", "mesh")


def seen(source: str, *, ok: int = 0, failed: int = 0, late: int = 0) -> Summary:
    """What one agent has of the one target."""
    reasons = {reason: count for reason, count in (("ok", ok), ("timeout_connect", failed)) if count}
    return Summary(Series(source, *TARGET), time.time() - 60, 60.0, reasons, late=late)


Peer = Callable[[Any], str]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Starts a peer that answers with a view, or with bytes; gives its address."""
    with ExitStack() as stack:

        def start(answer: Any) -> str:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            reply = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

            def serve(connection: Any) -> None:
                connection.recv(4096)
                connection.sendall(reply)

            return f"http://127.0.0.1:{stack.enter_context(responders.tcp(serve))}/view"

        yield start


def view(source: str, *summaries: Summary, **changes: Any) -> dict[str, Any]:
    """A view as a peer gives it."""
    return {"source": source, "now": time.time(), "windows": [s.as_wire() for s in summaries]} | changes


def _standing(looking: Views, own: Summary) -> str:
    judgements, _ = looking.judge([own], {own.series})
    (judgement,) = judgements
    return judgement.standing


def test_a_target_that_peers_reach_has_its_path_down_and_one_that_none_reaches_is_down(peer: Peer) -> None:
    looking = Views("aks", {"eks": peer(view("eks", seen("eks", ok=9))), "gke": peer(view("gke"))})
    assert _standing(looking, seen("aks", failed=9)) == "unknown"
    assert looking.fetch() == {}
    assert _standing(looking, seen("aks", failed=9)) == "path down"
    assert _standing(looking, seen("aks", ok=9)) == "up"
    down = Views("aks", {"eks": peer(view("eks", seen("eks", failed=9)))})
    down.fetch()
    assert _standing(down, seen("aks", failed=9)) == "target down"
    assert _standing(down, seen("aks", ok=9)) == "up"  # the path from eks is eks' to tell


def test_a_sick_agent_does_not_say_how_targets_stand(peer: Peer) -> None:
    looking = Views("aks", {"eks": peer(view("eks", seen("eks", ok=9)))})
    looking.fetch()
    ill = seen("aks", failed=9, late=9)
    judgements, unwell = looking.judge([ill], {ill.series})
    assert [j.standing for j in judgements] == ["unknown"]
    assert set(unwell) == {"aks"}
    families = {family.name: family for family in views.families("aks", judgements, unwell)}
    assert families["meshkit_agent_sick"].points[0][1] == 1
    assert sum(value for _, value in families["meshkit_probe_standing"].points) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(b"", "no view", id="nothing"),
        pytest.param(b"<html>it works</html>", "no view", id="a web page"),
        pytest.param(b"[" * 100_000, "no view", id="nested too deep"),
        pytest.param([], "no view", id="a list"),
        pytest.param({"source": "eks"}, "no view", id="half a view"),
        pytest.param({"source": "gke", "now": 0, "windows": []}, "another agent", id="someone else's"),
        pytest.param({"source": "eks", "now": 0, "windows": []}, "old", id="of 1970"),
        pytest.param({"source": "eks", "now": "today", "windows": []}, "no view", id="without a time"),
        pytest.param(lambda: view("eks") | {"windows": [3]}, "no view", id="windows that are none"),
        pytest.param(
            lambda: view("eks") | {"windows": [seen("eks").as_wire() | {"reasons": {"ok": -9}}]},
            "no view",
            id="negative counts",
        ),
    ],
)
def test_a_view_that_is_garbage_or_old_counts_as_none(peer: Peer, answer: Any, said: str) -> None:
    looking = Views("aks", {"eks": peer(answer() if callable(answer) else answer)})  # made now: views grow old
    assert said in looking.fetch()["eks"]
    assert _standing(looking, seen("aks", failed=9)) == "unknown"


def test_a_peer_speaks_for_itself_only(peer: Peer) -> None:
    looking = Views("aks", {"eks": peer(view("eks", seen("aks", ok=99), seen("gke", ok=99)))})
    assert looking.fetch() == {}
    assert _standing(looking, seen("aks", failed=9)) == "unknown"


def test_a_view_fades_when_its_peer_answers_no_more(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Views("aks", {"eks": peer(view("eks", seen("eks", ok=9)))})
    looking.fetch()
    assert _standing(looking, seen("aks", failed=9)) == "path down"
    begin = time.monotonic()
    monkeypatch.setattr(views, "monotonic", lambda: begin + views.OLD_S + 1)
    assert _standing(looking, seen("aks", failed=9)) == "unknown"


def test_a_peer_that_hangs_or_drips_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "TIMEOUT_S", 0.3)

    def silent(connection: Any) -> None:
        while connection.recv(4096):
            pass

    def dripping(connection: Any) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n")
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"x: y\r\n")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                pass

    with responders.tcp(silent) as one, responders.tcp(dripping) as other:
        looking = Views("aks", {"eks": f"http://127.0.0.1:{one}/", "gke": f"http://127.0.0.1:{other}/"})
        failed = looking.fetch()
    assert set(failed) == {"eks", "gke"}
    assert all("in time" in why for why in failed.values())


def test_two_agents_tell_a_path_from_a_target(tmp_path: Path, target: int) -> None:
    kubernetes = {"aks": FakeKubernetes(), "eks": FakeKubernetes()}
    down = responders.closed_port()
    with ExitStack() as stack:
        agents = {}
        for name, fake in kubernetes.items():
            folder = tmp_path / name
            folder.mkdir()
            stack.enter_context(serving(fake, folder))
            agents[name] = Agent(folder, fake)
            agents[name].settings |= {"source": name, "peers_s": 0.2}
            fake.schedule([_as(name, "both", down), _as(name, "path", down if name == "aks" else target)])
        stack.enter_context(agents["eks"].running())
        agents["aks"].settings["peers"] = {"eks": f"http://127.0.0.1:{agents['eks'].port}/view"}
        stack.enter_context(agents["aks"].running())
        metric = agents["aks"].metric
        until(lambda: metric("meshkit_probe_standing", 'service="both"', 'standing="target down"') == 1, "target down")
        until(lambda: metric("meshkit_probe_standing", 'service="path"', 'standing="path down"') == 1, "path down")


def _as(source: str, service: str, port: int) -> dict[str, Any]:
    wire = probe(service, port, service=service)
    wire["series"] |= {"source": source, "destination": "zks"}
    return wire
