"""Why the mesh refuses: the intention that decides, or one that has not arrived where it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import passage
from meshkit.trace.cause import Cause, Symptom
from meshkit.trace.evidence import Evidence, Rule

ANY = "*"


def _rule(evidence: Evidence) -> Rule | None:
    """As the destination's datacenter holds it, since its sidecar decides."""
    return evidence.destination.consul.rule if evidence.destination.consul else None


def _in_force(evidence: Evidence) -> Rule | None:
    """The same, when both datacenters agree on it."""
    rule, other = _rule(evidence), evidence.source.consul
    if rule is None or (other and other.rule and other.rule.action != rule.action):
        return None
    return rule


def _shown(rule: Rule) -> str:
    return f"{rule.source} to {rule.destination}: {rule.action}"


def _judged(rule: Rule) -> dict[str, str]:
    """For the remedy: whose intentions decide."""
    return {"destination": rule.target} if rule.target else {}


def _exact(evidence: Evidence) -> Iterator[Symptom]:
    rule = _in_force(evidence)
    if rule and rule.action == "deny" and rule.exact:
        yield Symptom(f"the intention {_shown(rule)} decides", names=_judged(rule))


def _wildcard(evidence: Evidence) -> Iterator[Symptom]:
    rule = _in_force(evidence)
    if (
        rule
        and rule.action == "deny"
        and rule.source
        and not rule.exact
        and (rule.source, rule.destination) != (ANY, ANY)
    ):
        text = f"the intention {_shown(rule)} decides, and no more specific one allows it"
        yield Symptom(text, names=_judged(rule))


def _nothing(evidence: Evidence) -> Iterator[Symptom]:
    rule = _in_force(evidence)
    if rule and rule.action == "deny" and rule.source in ("", ANY) and rule.destination in ("", ANY):
        where = f", to {rule.target}, to which it is redirected" if rule.target else ""
        yield Symptom(f"no intention allows it{where}, and the default is to deny", names=_judged(rule))


def _permissions(evidence: Evidence) -> Iterator[Symptom]:
    rule = _rule(evidence)
    if rule and rule.action == "permissions" and _refused(evidence):
        text = f"{rule.source} to {rule.destination} has HTTP permissions or asks for a JWT, and refuses the request"
        yield Symptom(text, names=_judged(rule))


def _refused(evidence: Evidence) -> bool:
    """By Envoy's own answer; where it spoke no HTTP, by what it counted, others' requests aside."""
    request, proxy = evidence.request, evidence.destination.sidecar
    if request is None or request.denied:
        return request is not None
    return request.ended == "closed" and passage.denied(proxy) and not (proxy and proxy.busy("rbac.denied"))


def _not_copied(evidence: Evidence) -> Iterator[Symptom]:
    here, there = evidence.source, evidence.destination
    if not (here.consul and there.consul and here.consul.rule and there.consul.rule):
        return
    if here.consul.rule.action == there.consul.rule.action:
        return
    primary, other = (here, there) if here.primary else (there, here)
    if primary.consul and other.consul and primary.consul.rule and other.consul.rule:
        words = primary.consul.rule.action, other.consul.rule.action
        text = f"{primary.datacenter} says {words[0]}, {other.datacenter} still says {words[1]}"
        yield Symptom(text, other.datacenter)


def _stale(evidence: Evidence) -> Iterator[Symptom]:
    rule = _rule(evidence)
    if rule and rule.action == "allow" and _refused(evidence):
        yield Symptom("the destination's Envoy refuses what the intentions allow: its configuration is old")


CAUSES = (
    Cause(
        "intention_deny",
        "remote sidecar",
        "an intention denies exactly this",
        "the destination's sidecar closes the connection, or answers 403; rbac.denied grows",
        "the intention that decides, as the destination's datacenter holds it",
        "meshkit allow {source} {destination}",
        _exact,
    ),
    Cause(
        "intention_deny_wildcard",
        "remote sidecar",
        "an intention with a wildcard denies this",
        "the destination's sidecar closes the connection, or answers 403; rbac.denied grows",
        "the intention that decides, as the destination's datacenter holds it",
        "meshkit allow {source} {destination} makes a more specific one; meshkit intentions lists all",
        _wildcard,
    ),
    Cause(
        "intention_missing",
        "remote sidecar",
        "no intention allows this",
        "the destination's sidecar closes the connection, or answers 403; rbac.denied grows",
        "no intention matches but the default deny",
        "meshkit allow {source} {destination}",
        _nothing,
    ),
    Cause(
        "intention_permissions",
        "remote sidecar",
        "an intention's HTTP permissions, or its demand for a JWT, refuse this request",
        "the destination's sidecar answers 403; other paths or methods may pass",
        "the intention has permissions or asks for a JWT, and rbac.denied grew with the tagged request",
        "{kubectl} exec consul-server-0 -- consul config read -kind service-intentions -name {destination}",
        _permissions,
    ),
    Cause(
        "intention_not_replicated",
        "remote sidecar",
        "an intention has not reached the other datacenter",
        "what was allowed or denied a while ago is not in force",
        "the two datacenters hold different intentions for this pair",
        "is replication alive? {kubectl} logs consul-server-0 | grep -i replicat; meshkit check",
        _not_copied,
    ),
    Cause(
        "intention_not_applied",
        "remote sidecar",
        "the destination's Envoy goes by old intentions",
        "it refuses what is allowed by now",
        "rbac.denied grew with the tagged request, and the intention says allow",
        "is its Envoy's stream alive? {kubectl_all} get pods -A | grep {destination}; restart it if not",
        _stale,
        weight="fallback",
    ),
)
