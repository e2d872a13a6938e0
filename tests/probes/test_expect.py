"""Every form of expectation, and what is none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.expect import LATENCIES, judge, parse
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

DAY = 86400.0


def seen(*samples: Sample) -> Summary:
    """A summary of these."""
    summary = Summary(Series("aks", "eks", "web", "mesh"), 0.0, 60.0)
    for sample in samples:
        summary.add(sample)
    return summary


def ok(rtt_s: float | None = None, total_s: float = 0.05, **facts: object) -> Sample:
    """One that passed."""
    return Sample("p", 0.0, "ok", phases={"connect": total_s}, rtt_s=rtt_s, rtt_source="kernel", facts=facts)


def failed(reason: str, detail: str = "") -> Sample:
    """One that did not."""
    return Sample("p", 0.0, reason, detail)


NOW = time.time()


@pytest.mark.parametrize(
    ("text", "summary", "holds", "said"),
    [
        pytest.param("reachable", seen(ok()), True, "reachable", id="reached"),
        pytest.param(
            "reachable", seen(ok(), failed("reset", "tls: reset")), False, "reset 1 of 2: tls: reset", id="not always"
        ),
        pytest.param("refused", seen(failed("refused"), failed("denied")), True, "", id="refused, by host and by mesh"),
        pytest.param("refused", seen(failed("tls_alert")), True, "", id="refused by an alert"),
        pytest.param(
            "refused", seen(failed("timeout_connect")), False, "timeout_connect 1 of 1", id="silence is no refusal"
        ),
        pytest.param("refused", seen(ok(), failed("refused")), False, "1 of 2 passed", id="one got through"),
        pytest.param("p50 < 10ms", seen(ok(0.009)), True, "9.0 ms", id="quick enough"),
        pytest.param("p50<10ms", seen(ok(0.011)), False, "11.0 ms", id="too slow"),
        pytest.param("p99 <= 0.12s", seen(ok(0.1)), True, "100.0 ms", id="seconds"),
        pytest.param("max > 500us", seen(ok(0.001)), True, "1.0 ms", id="microseconds, above"),
        pytest.param("mean >= 1ms", seen(ok(0.0005)), False, "0.5 ms", id="mean, at least"),
        pytest.param(
            "p90<60ms", seen(ok(None, 0.05)), True, "50.0 ms", id="all phases where no round trip is measured"
        ),
        pytest.param("jitter<5ms", seen(ok(0.010), ok(0.012)), True, "2.0 ms", id="jitter"),
        pytest.param("jitter<5ms", seen(ok(0.010)), False, "no round trip", id="jitter of one sample"),
        pytest.param("p99<1s", seen(failed("refused")), False, "no round trip", id="latency without an answer"),
        pytest.param("loss < 1%", seen(*[ok()] * 3), True, "3 samples", id="no loss"),
        pytest.param("loss<0.1%", seen(*[ok()] * 99, failed("reset")), False, "loss 1.00%", id="some loss"),
        pytest.param("loss > 50%", seen(failed("reset")), True, "loss 100.00%", id="all lost, as wanted"),
        pytest.param("resolves to 10.0.0.1", seen(ok(answers=["10.0.0.2", "10.0.0.1"])), True, "10.0.0.2", id="one of"),
        pytest.param("resolves to 10.0.0.1 10.0.0.2", seen(ok(answers=["10.0.0.1"])), False, "10.0.0.1", id="not both"),
        pytest.param(
            "resolves to 10.0.0.1", seen(failed("name_not_found")), False, "name_not_found", id="no such name"
        ),
        pytest.param("resolves to 10.0.0.1", seen(ok()), False, "no answers", id="not a question of names"),
        pytest.param(
            "certificate > 33%",
            seen(ok(not_before=NOW - 100 * DAY, not_after=NOW + 100 * DAY)),
            True,
            "50%",
            id="half its life left",
        ),
        pytest.param(
            "certificate > 33%",
            seen(ok(not_before=NOW - 9 * DAY, not_after=NOW + DAY)),
            False,
            "10%",
            id="near its end",
        ),
        pytest.param(
            "certificate > 0%", seen(ok(not_before=NOW - 9 * DAY, not_after=NOW - DAY)), False, "0%", id="past its end"
        ),
        pytest.param("certificate > 33%", seen(ok()), False, "no certificate", id="no certificate was seen"),
        pytest.param("reachable", seen(), False, "no samples", id="nothing was seen"),
        pytest.param("refused", seen(), False, "no samples", id="nothing was seen, so nothing was refused"),
    ],
)
def test_an_expectation_holds_or_not_and_says_what_was_seen(
    text: str,
    summary: Summary,
    holds: bool,  # noqa: FBT001, a table's column
    said: str,
) -> None:
    (verdict,) = judge(summary, parse(text))
    assert (verdict.holds, verdict.condition) == (holds, text)
    assert said in verdict.seen


def test_several_are_joined_by_commas_and_judged_one_by_one() -> None:
    verdicts = judge(seen(ok(0.2)), parse("reachable, p99 < 120ms ,loss<1%"))
    assert [(v.condition, v.holds) for v in verdicts] == [
        ("reachable", True),
        ("p99 < 120ms", False),
        ("loss<1%", True),
    ]


def test_a_failure_without_round_trip_does_not_pass_as_a_quick_one() -> None:
    for name in LATENCIES:
        (verdict,) = judge(seen(failed("timeout_connect")), parse(f"{name}<1s"))
        assert not verdict.holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "reachable,",
        "Reachable",
        "reach",
        "p99",
        "p99<",
        "<120ms",
        "p99<120",
        "p99<120m",
        "p99<-1ms",
        "p99<1e3ms",
        "p99<120 ms 3",
        "p99=120ms",
        "p99<<120ms",
        "p42<120ms",
        "p99<5%",
        "loss<5ms",
        "loss<1",
        "certificate>1s",
        "resolves to",
        "resolves to ",
        "latency<1ms",
        "p99<1ms loss<1%",
        "p99<\u0661ms",
    ],
)
def test_what_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is") as refused:
        parse(text)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=30))
def test_any_text_is_an_expectation_or_a_value_error(text: str) -> None:
    try:
        conditions = parse(text)
    except ValueError:
        return
    assert all(condition.text for condition in conditions)
