"""Packets that an agent may not send: the outcome says which line allows them, and where."""

from __future__ import annotations

import pytest

from meshkit.federation.probing import runs
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary
from meshkit.probes.wanted import LOCAL


def _outcome(source: str, reason: str) -> Outcome:
    window = Summary(Series(source, "eks", "eks", "path"), 0.0, 1.0)
    window.add(Sample("p", 0.0, reason))
    return runs.outcome("mesh", [window], {}, began=0.0, missing={}, floors={}, notes=["before"])


def test_an_agent_is_allowed_by_mesh_yaml() -> None:
    before, note = _outcome("aks", "not_permitted").notes
    assert before == "before"
    assert note.startswith("aks is not permitted")
    assert "probe: {agent: {netRaw: true}}" in note


def test_this_machine_is_allowed_by_being_root() -> None:
    assert _outcome(LOCAL, "not_permitted").notes[-1] == "local is not permitted to send such packets: root may"


@pytest.mark.parametrize("reason", ["ok", "timeout_reply"])
def test_other_ends_need_no_permission(reason: str) -> None:
    assert _outcome("aks", reason).notes == ("before",)
