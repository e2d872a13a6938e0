"""How the figures were made, so that a reader knows what they can carry."""

from __future__ import annotations

from meshkit.probes.ladder import RUNGS
from meshkit.probes.stats import RELATIVE_ERROR
from meshkit.probes.summary import LATE_S
from meshkit.report.figures import share
from meshkit.report.probes.page.markup import Markup, tag
from meshkit.report.probes.page.reading import Reading
from meshkit.report.probes.page.scale import error, time


def method(reading: Reading) -> Markup:
    """A list of terms; the rungs only where some were probed."""
    worst = max((summary.rtt_error_s for summary in reading.summaries), default=0.0)
    terms = {
        "Latency": "One round trip on the network where one was measured (clock kernel: as the kernel stamped it; "
        "user: as the prober saw it), else all phases of a probe together (clock phases).",
        "Error": f"How far a round trip may be off, {error(worst)} at most here. "
        f"Quantiles are within {share(RELATIVE_ERROR)} of the true ones besides; least, most and mean are exact.",
        "Loss": "Probes that failed, and those that came through after TCP had to send a packet again. "
        "The interval holds the true rate with 95% confidence (Wilson).",
        "Jitter": "The mean difference of consecutive round trips (RFC 3393).",
        "Late, suspect, sick": f"Probes start by an open schedule; a start {time(LATE_S)} after its due time is late. "
        "A sample is suspect when much of its time may be the prober's own lateness. A prober is sick when it misses "
        "its own schedule: its samples count, are marked *, and have no say in whether a target is down.",
        "Path down, target down": "Path down: some reach the target, others don't. Target down: nobody does.",
        "Light in fibre": "There and back between the regions by the shortest way: no network can be faster.",
    }
    if reading.ladders:
        terms |= {f"Rung {name}": f"{what[:1].upper()}{what[1:]}." for name, what in RUNGS.items()}
    return tag("dl", [tag("div", tag("dt", term), tag("dd", text)) for term, text in terms.items()], class_="method")
