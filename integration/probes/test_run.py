"""Runs from inside real clusters: what each rung measures, what is named when something is broken, and as whom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clusters import DELAY_S, FIRST, SECOND
from federation.mesh import NAMESPACE, Mesh, settles
from probes.seen import Seen, probe

from meshkit.probes.ladder import RUNGS

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BOTH = ((FIRST, SECOND), (SECOND, FIRST))
RTT_S = 2 * DELAY_S
SLACK_S = 0.01
MESH_ADDS_S = 0.03
PACED = ("--count", "3", "--timeout", "1s")
PACED_S = 45.0
"""Longest that a run of ``PACED`` may take when half the federation does not answer: its own part is 1.4 s, and before
it each of the other datacenter's catalog and gateway is asked for, with the deadlines that such questions have."""

GATEWAY = "deploy/consul-mesh-gateway"
AGENT = ("deploy/mesh-probe", "agent")
TAIL = 0.0005
"""On each side: so rarely may a test of chance fail while all is well."""


@pytest.fixture(scope="module")
def seen(federated: Mesh) -> Seen:
    """The ladder of both directions."""
    return probe(federated, "run", "--count", "10")


@pytest.fixture
def cut(federated: Mesh) -> Iterator[Mesh]:
    """No packet passes between the two, until the test ends."""
    federated.meshkit("lab", "cut", *federated.names)
    yield federated
    federated.meshkit("lab", "heal", *federated.names)
    settles(lambda: _passes(federated), "a ladder that passes again")


@pytest.fixture
def without_gateway(federated: Mesh) -> Iterator[Mesh]:
    """The second datacenter's address stands, and nothing is behind it."""
    federated.kubectl(SECOND, "scale", GATEWAY, "--replicas=0")
    settles(lambda: not _gateways(federated), "no gateway")
    yield federated
    federated.kubectl(SECOND, "scale", GATEWAY, "--replicas=1")
    settles(lambda: _passes(federated), "a ladder that passes again")


@pytest.fixture
def lossy(federated: Mesh) -> Iterator[float]:
    """The link loses packets; the share of round trips that it spoils."""
    loss = 0.01
    federated.meshkit("lab", "link", *federated.names, "--loss", f"{loss:.0%}")
    yield 1 - (1 - loss) ** 2  # a request and its answer each cross it
    federated.meshkit("lab", "link", *federated.names, "--loss", "0%")


@pytest.fixture
def segmented(federated: Mesh) -> Iterator[Mesh]:
    """No intention between the probes when the test begins, and when it has ended."""
    federated.meshkit("intentions", "--remove", *_probes(), check=False)
    yield federated
    federated.meshkit("intentions", "--remove", *_probes(), check=False)


@pytest.fixture
def raw(federated: Mesh, tmp_path: Path) -> Iterator[Mesh]:
    """The first datacenter's agent may craft packets, as its mesh.yaml says."""
    federated.meshkit("federate", "-f", _described(tmp_path, net_raw=True))
    yield federated
    federated.meshkit("federate", "-f", _described(tmp_path, net_raw=False))


def test_all_four_rungs_pass_in_both_directions(seen: Seen) -> None:
    """Not one sample fails."""
    assert seen.code == 0
    assert set(seen.series) == {(*pair, rung) for pair in BOTH for rung in RUNGS}
    assert {key: one["fault"] for key, one in seen.series.items() if one["failed"]} == {}


@pytest.mark.parametrize("pair", BOTH, ids=("there", "back"))
def test_the_network_is_timed_by_the_kernel_and_the_mesh_adds_little(seen: Seen, pair: tuple[str, str]) -> None:
    """The link's delay there and back; four proxies are on the way through the mesh."""
    network = seen.series[*pair, "network"]
    assert network["rtt_source"] == "kernel"
    assert RTT_S <= network["latency_s"]["p50_s"] <= RTT_S + SLACK_S
    assert seen.ladders[pair]["mesh_adds_s"] < MESH_ADDS_S


def test_a_cut_link_is_a_broken_network(cut: Mesh) -> None:
    """Named in every rung by the phase that had no answer, in time, and exit code 1."""
    seen = probe(cut, "run", FIRST, SECOND, *PACED)

    assert seen.code == 1
    assert seen.took_s < PACED_S
    assert seen.ladders[FIRST, SECOND]["broken"] == "network"
    assert seen.reasons(FIRST, SECOND, "network") == seen.reasons(FIRST, SECOND, "gateway") == {"timeout_connect": 3}
    assert set(seen.reasons(FIRST, SECOND, "rpc")) == {"timeout_processing"}
    assert all("ok" not in one["reasons"] and one["sent"] == 3 for one in seen.series.values())


def test_without_a_gateway_the_network_rung_says_so(without_gateway: Mesh) -> None:
    """Whoever holds the address refuses, drops, or knows no way to its pod."""
    seen = probe(without_gateway, "run", FIRST, SECOND, *PACED)

    assert seen.code == 1
    assert seen.took_s < PACED_S
    assert seen.ladders[FIRST, SECOND]["broken"] == "network"
    assert set(seen.reasons(FIRST, SECOND, "network")) <= {"refused", "timeout_connect", "unreachable", "reset"}


def test_the_loss_of_the_link_is_the_loss_reported(federated: Mesh, lossy: float) -> None:
    """As many of 3,000 echo requests fail as chance allows, and the interval printed is about them."""
    address = _gateway_address(federated)
    seen = probe(
        federated, "run", FIRST, address, "--mechanism", "icmp", "--count", "3000", "--rate", "400", "--timeout", "1s"
    )

    one = seen.series[FIRST, address, "icmp"]
    assert one["sent"] == 3000
    assert set(one["reasons"]) == {"ok", "timeout_reply"}
    least, most = _likely(one["sent"], lossy)
    assert least <= one["failed"] <= most, f"{one['failed']} of {one['sent']} failed"
    low, high = one["loss_95"]
    assert low < one["loss"] < high
    assert high - low < 0.015, "3,000 samples say more than that"


def test_what_is_denied_is_seen_refused_and_what_is_allowed_passes(segmented: Mesh) -> None:
    """Expectations come from the intentions, and follow them at once."""
    denied = probe(segmented, "matrix", *PACED)
    assert denied.code == 0
    assert all(denied.verdicts(*pair) == {"refused": True} for pair in BOTH)
    assert denied.reasons(FIRST, SECOND, f"intention {_probes()[0]}") == {"denied": 3}

    segmented.meshkit("allow", *_probes())
    allowed = probe(segmented, "matrix", *PACED)
    assert allowed.code == 0
    assert allowed.verdicts(FIRST, SECOND) == {"reachable": True}
    assert allowed.verdicts(SECOND, FIRST) == {"refused": True}


def test_a_run_as_a_service_is_decided_by_that_services_intentions(segmented: Mesh) -> None:
    """Refused without one, and let through with it, by the far sidecar itself."""
    source, destination = (f"{name}/{service}" for name, service in zip(segmented.names, _probes(), strict=True))
    denied = probe(segmented, "run", source, destination, *PACED)
    assert denied.code == 1
    assert denied.reasons(FIRST, SECOND, "service") == {"denied": 3}

    segmented.meshkit("allow", *_probes())

    def passes() -> bool:
        return probe(segmented, "run", source, destination, *PACED).reasons(FIRST, SECOND, "service") == {"ok": 3}

    settles(passes, "the intention known to the far sidecar")


def test_this_machine_probes_what_begins_outside_a_cluster(federated: Mesh) -> None:
    """Network and gateway; why the others are left out is told."""
    seen = probe(federated, "run", "local", SECOND, *PACED)
    assert seen.code == 0
    assert seen.ladders["local", SECOND]["rungs"] == {"network": True, "gateway": True}
    assert any("rpc begins inside a cluster" in note for note in seen.document["notes"])


def test_what_refuses_this_machine_is_named(federated: Mesh) -> None:
    """A port of the gateway's address at which nothing listens."""
    address = _gateway_address(federated)
    seen = probe(federated, "run", "local", f"{address}:9", *PACED)
    assert seen.code == 1
    assert [one["reasons"] for one in seen.document["series"]] == [{"refused": 3}]


def test_the_agent_has_no_capability_and_a_read_only_root(federated: Mesh) -> None:
    """As the kernel says, not the manifest; the agent is the container's first process."""
    status = _status(federated)
    assert set(status["Uid"].split()) == {"100"}
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert status["NoNewPrivs"] == "1"
    root = [line.split() for line in _read(federated, "/proc/1/mounts").splitlines() if line.split()[1] == "/"]
    assert all("ro" in fields[3].split(",") for fields in root)


def test_echo_requests_need_no_capability(federated: Mesh) -> None:
    """They go through a ping socket, and the kernel stamps them."""
    address = _gateway_address(federated)
    seen = probe(federated, "run", FIRST, "--mechanism", "icmp", "--target", f"host={address}", *PACED)
    one = seen.series[FIRST, address, "icmp"]
    assert (seen.code, one["reasons"], one["rtt_source"]) == (0, {"ok": 3}, "kernel")
    assert RTT_S <= one["latency_s"]["p50_s"] <= RTT_S + SLACK_S


def test_a_trace_without_permission_says_how_to_allow_it(federated: Mesh) -> None:
    """The reason, and the line of mesh.yaml."""
    address = _gateway_address(federated)
    seen = probe(federated, "run", FIRST, address, "--mechanism", "path", "--count", "1")
    assert seen.code == 1
    assert seen.reasons(FIRST, address, "path") == {"not_permitted": 1}
    assert any("probe: {agent: {netRaw: true}}" in note for note in seen.document["notes"])


def test_an_agent_with_net_raw_traces_and_finds_the_mtu(raw: Mesh) -> None:
    """To the other node's address, with that one capability and no other."""
    address = _gateway_address(raw)
    seen = probe(raw, "run", FIRST, address, "--mechanism", "path", "--target", "port=443", "--target", "mtu=true")
    (one,) = seen.series.values()
    assert (seen.code, one["reasons"]) == (0, {"ok": 1}), one["fault"]
    hop, mtu = one["answers"][-2:]
    assert (hop.split()[1], mtu) == (address, "mtu 1500")
    status = _status(raw)
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 13, "CAP_NET_RAW"


def _passes(mesh: Mesh) -> bool:
    seen = probe(mesh, "run", FIRST, SECOND, *PACED)
    return seen.code == 0 and not any(one["failed"] for one in seen.series.values())


def _gateways(mesh: Mesh) -> list[str]:
    return mesh.kubectl(SECOND, "get", "pods", "-l", "component=mesh-gateway", "-o", "name").split()


def _probes() -> tuple[str, str]:
    """The mesh's services from the first datacenter to the second."""
    return f"mesh-probe-{FIRST}", f"mesh-probe-{SECOND}"


def _gateway_address(mesh: Mesh) -> str:
    """The public address of the second datacenter's gateway; in the lab the node has it."""
    service = mesh.lab.get(SECOND, "-n", NAMESPACE, "service", "meshkit-mesh-gateway")
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def _described(place: Path, *, net_raw: bool) -> str:
    """A mesh.yaml of both datacenters; its path."""
    path = place / "mesh.yaml"
    first = {"context": FIRST, "probe": {"agent": {"netRaw": net_raw}}}
    datacenters = {FIRST: first, SECOND: {"context": SECOND}}
    path.write_text(yaml.safe_dump({"federation": "mesh", "primary": FIRST, "datacenters": datacenters}))
    return str(path)


def _read(mesh: Mesh, path: str) -> str:
    return mesh.execute(FIRST, AGENT, "cat", path)


def _status(mesh: Mesh) -> dict[str, str]:
    """The agent's process as the kernel sees it."""
    pairs = (line.partition(":") for line in _read(mesh, "/proc/1/status").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _likely(trials: int, share: float) -> tuple[int, int]:
    """Least and most events of the binomial distribution between two tails of ``TAIL`` each."""
    below, least, most = 0.0, 0, trials
    for events in range(trials + 1):
        choices = math.lgamma(trials + 1) - math.lgamma(events + 1) - math.lgamma(trials - events + 1)
        below += math.exp(choices + events * math.log(share) + (trials - events) * math.log1p(-share))
        if below < TAIL:
            least = events + 1
        if below > 1 - TAIL:
            most = events
            break
    return least, most
