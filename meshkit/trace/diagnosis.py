"""From evidence to a diagnosis: the first broken hop, the one cause that explains it, and all else that was found.

A wrong name is worse than none. A cause that breaks paths is named when the request did not pass, or was not sent; one
that only would explain it (``fallback``) when nothing else does; and when nothing does, the verdict is "unknown", with
the last hop that saw the request and what was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from meshkit.trace import measures, passage
from meshkit.trace.cause import Finding, found
from meshkit.trace.causes import CATALOGUE
from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import PATH, Hop, order

Verdict = Literal["healthy", "degraded", "broken", "unknown"]
HopVerdict = Literal["passes", "broken", "degraded", "not reached", "not seen"]
NEXT: dict[Hop, Hop] = dict(zip(PATH, (*PATH[1:], PATH[-1]), strict=True))


@dataclass(frozen=True)
class HopResult:
    """A hop's line: ``took_s`` is None where nothing was measured, ``said`` what was seen there."""

    hop: Hop
    verdict: HopVerdict
    took_s: float | None
    said: str


@dataclass(frozen=True)
class Diagnosis:
    """The outcome of a trace. ``cause`` explains ``first_broken``; ``beside`` are the other findings."""

    route: str
    verdict: Verdict
    hops: tuple[HopResult, ...]
    first_broken: Hop | None
    cause: Finding | None
    beside: tuple[Finding, ...]
    tried: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]
    took_s: float
    tag: str = ""


def diagnose(evidence: Evidence) -> Diagnosis:
    """Judge everything once."""
    findings = [finding for cause in CATALOGUE for finding in found(evidence, cause)]
    cause = _cause(evidence, findings)
    verdict = _verdict(evidence, cause)
    first = _first_broken(evidence, verdict, cause)
    beside = tuple(_beside(evidence, finding, cause) for finding in findings if finding is not cause)
    return Diagnosis(
        str(evidence.route),
        verdict,
        tuple(_hops(evidence, verdict, first, cause)),
        first,
        cause,
        tuple(sorted(beside, key=_weight)),
        tuple(tried(evidence)),
        tuple(sorted(evidence.unseen.items())),
        evidence.took_s,
        evidence.request.tag if evidence.request else "",
    )


def _cause(evidence: Evidence, findings: Sequence[Finding]) -> Finding | None:
    """The cause of the first hop that is broken; of what only degrades when the request passed or nothing breaks."""
    if not evidence.passed:
        for weight in ("breaks", "fallback"):
            chosen = [finding for finding in findings if finding.weight == weight]
            if chosen:
                return min(chosen, key=lambda finding: order(finding.hop))
    harmful = [finding for finding in findings if finding.weight in ("breaks", "degrades")]
    if not evidence.passed and evidence.request is not None:
        harmful = [finding for finding in harmful if _explains(evidence, finding)]
    return min(harmful, key=lambda finding: order(finding.hop)) if harmful else None


def _explains(evidence: Evidence, finding: Finding) -> bool:
    """What degrades a hop can break a request only there: at the hop that it did not get beyond, or on the way back."""
    reached = passage.reached(evidence)
    beyond = finding.hop in PATH and order(finding.hop) > order(reached)
    return beyond or (finding.hop == reached and reached in ("network", "service"))


def _verdict(evidence: Evidence, cause: Finding | None) -> Verdict:
    if evidence.passed:
        return "degraded" if cause else "healthy"
    if cause is None or (evidence.request is None and cause.weight == "degrades"):
        return "unknown"
    return "broken"


def _first_broken(evidence: Evidence, verdict: Verdict, cause: Finding | None) -> Hop | None:
    if verdict == "healthy":
        return None
    if cause is not None:
        return cause.hop
    if evidence.request is None or evidence.unserved or not passage.certain(evidence):
        return None  # an Envoy that answers by itself does not say which one it is
    reached = passage.reached(evidence)
    unread = reached == "lookup" and evidence.source.sidecar is None
    return None if unread else NEXT[reached]


def _beside(evidence: Evidence, finding: Finding, cause: Finding | None) -> Finding:
    """What would break the path did not, when the request passed."""
    del cause
    return replace(finding, weight="degrades") if evidence.passed and finding.weight == "breaks" else finding


def _weight(finding: Finding) -> int:
    return ("breaks", "fallback", "degrades", "note").index(finding.weight)


def _hops(evidence: Evidence, verdict: Verdict, first: Hop | None, cause: Finding | None) -> list[HopResult]:
    """Every hop of the path; those beyond the first broken one were not reached."""
    lines = []
    for hop in PATH:
        if not evidence.route.crosses and hop in ("source gateway", "network", "remote gateway"):
            continue
        took_s, said = _seen(evidence, hop)
        state: HopVerdict = "passes"
        if first is not None and hop == first:
            state, took_s = ("degraded", took_s) if verdict == "degraded" else ("broken", None)
            said = cause.text if cause else f"the request did not get beyond here; {said}".rstrip("; ")
        elif not evidence.passed and (first is None or order(hop) > order(first)):
            state, took_s = ("not seen" if first is None else "not reached"), None
        lines.append(HopResult(hop, state, took_s, said))
    return lines


def _seen(evidence: Evidence, hop: Hop) -> tuple[float | None, str]:
    """A hop's time, and a few words on it."""
    name = {
        "source gateway": measures.SOURCE_GATEWAY,
        "network": measures.THERE,
        "remote gateway": measures.AT_OWN_GATEWAY,
        "remote sidecar": measures.AT_SIDECAR,
    }.get(hop, "")
    seen = evidence.measured.get(name)
    took_s = (seen.rtt_s if hop in ("source gateway", "network") else seen.total_s) if seen and seen.ok else None
    if hop == "service" and evidence.request and evidence.request.ended == "answered":
        return evidence.request.took_s, f"answers {evidence.request.status or 'no HTTP'}".strip()
    return took_s, _words(evidence, hop)


def _words(evidence: Evidence, hop: Hop) -> str:
    source, destination = evidence.source, evidence.destination
    proxies = {
        "source sidecar": source.sidecar,
        "source gateway": source.gateway,
        "remote gateway": destination.gateway,
        "remote sidecar": destination.sidecar,
    }
    if hop in proxies:
        proxy = proxies[hop]
        if proxy is None:
            return "its Envoy could not be read"
        flags = f", response flags {', '.join(proxy.flags)}" if proxy.flags else ""
        return f"{proxy.id} in pod {proxy.pod}{flags}"
    if hop == "network":
        seen = evidence.measured.get(measures.THERE)
        return f"{seen.sent - seen.failed} of {seen.sent} connections to the gateway" if seen else "not measured"
    if hop == "lookup":
        chain = source.consul.chain if source.consul else None
        shown = ", ".join(f"{target.service} in {target.datacenter}" for target in chain.targets) if chain else ""
        return f"leads to {shown}" if shown else "not known"
    return "not reached by the request"


def tried(evidence: Evidence) -> list[str]:
    """What was looked at, in words."""
    done = [f"{name}: {_outcome(evidence, name)}" for name in measures.ORDER if name in evidence.measured]
    request = evidence.request
    if request:
        ended = f"{request.ended} {request.status or ''}".strip()
        done.insert(0, f"request {request.tag} from the source's pod: {ended} after {request.took_s:.2f} s")
    asked = "catalog, chain, intentions, gateways, gossip, replication, roots"
    done += [f"{side.datacenter}: {asked}" for side in evidence.sides if side.consul]
    names = [proxy.id for side in evidence.sides for proxy in (side.sidecar, side.gateway) if proxy]
    return [*done, f"Envoys read before and after: {', '.join(names)}"] if names else done


def _outcome(evidence: Evidence, name: str) -> str:
    seen = evidence.measured[name]
    if name in (measures.PATH, measures.MTU) and seen.answers:
        return "; ".join(seen.answers)
    time_s = seen.total_s if seen.rtt_s is None or name in measures.HANDSHAKES else seen.rtt_s
    took = f", {1000 * time_s:.1f} ms" if time_s is not None else ""
    return f"{seen.reason}{took}" + (f" ({seen.sent - seen.failed} of {seen.sent})" if seen.sent > 1 else "")
