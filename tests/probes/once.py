"""One observation of a target, the way the engine makes it."""

from __future__ import annotations

from typing import Any

from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.probe import Probe, Series
from meshkit.probes.sample import Sample

SERIES = Series("local", "there", "service", "test")


def patience_s(reason: str) -> float:
    """A deadline that a busy machine does not reach by itself, shorter where a test waits for it."""
    return 1.0 if reason.startswith("timeout") else 10.0


def observe(target: Any, *, timeout_s: float = 5.0, io: Io | None = None) -> Sample:
    """The sample of one probe; ``io`` is closed afterwards when it was made here."""
    samples: list[Sample] = []
    used = io or Io()
    try:
        probe = Probe("test", SERIES, target, timeout_s=timeout_s)
        Engine(used, lambda _, sample: samples.append(sample)).run([probe], count=1)
    finally:
        if io is None:
            used.close()
    assert len(samples) == 1
    return samples[0]
