"""One change of a healthy path, and what must be named: shared by the tables of tests/trace."""

from __future__ import annotations

from dataclasses import dataclass

from fakes.changes import Change
from fakes.evidence import FAR, healthy
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import ChainTarget, Measured, Pod
from meshkit.trace.proxy import EnvoyCluster


@dataclass(frozen=True)
class Case:
    """What is changed of a healthy path, and what must be named."""

    code: str
    hop: str
    change: Change
    verdict: str = "broken"

    def __str__(self) -> str:
        """For pytest."""
        return f"{self.code} at {self.hop}"

    def holds(self) -> None:
        """Make the change, and look at what is named."""
        found = diagnose(self.change(healthy()))

        assert found.cause, [finding.code for finding in found.beside]
        assert (found.cause.code, found.first_broken, found.verdict) == (self.code, self.hop, self.verdict)
        assert "{" not in found.cause.remedy
        assert found.cause.text


DEAD = Pod("backend", "shop", "10.42.0.5", ready=False, troubles=("envoy: CrashLoopBackOff",))
SUBSET = ChainTarget("backend", "v2", "aks", filter='Service.Meta.version == "v2"', passing=0)
HEAVY = Measured("timeout_connect", sent=40, failed=5, resent=20)
NO_REPLY = {"ended": "timeout", "status": 0, "head": "", "took_s": 3.0}
UNCONFIGURED = {"configured": False, "clusters": {}, "counters": {}, "state": "INITIALIZING"}
NO_ENDPOINT = EnvoyCluster(FAR)
ON_POD = EnvoyCluster("local_app", (("10.42.0.5", 8080, ""),))
APP = {"cluster.local_app.upstream_cx_total": 1, "cluster.local_app.upstream_cx_connect_fail": 1}
