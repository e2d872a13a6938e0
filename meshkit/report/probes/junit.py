"""Outcomes as JUnit, for CI systems: an expectation is a test case, a datacenter that could not be asked an error."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as ET

from meshkit.probes.expect import Verdict
from meshkit.probes.outcome import Outcome
from meshkit.probes.reasons import REASONS
from meshkit.report.checks import NOT_XML
from meshkit.report.figures import moment
from meshkit.report.probes.tables import order, worst


def as_junit(outcome: Outcome) -> str:
    """One suite per ordered pair, and one for the datacenters that are missing."""
    root = ET.Element("testsuites", name=f"meshkit probe {outcome.federation}")
    ordered = sorted(outcome.verdicts, key=lambda verdict: order(verdict.summary))
    for (source, destination), group in groupby(ordered, key=_pair):
        _suite(root, f"{source} to {destination}", list(group), outcome)
    if outcome.missing:
        number = str(len(outcome.missing))
        suite = ET.SubElement(root, "testsuite", name="datacenters", tests=number, failures="0", errors=number)
        for datacenter, why in sorted(outcome.missing.items()):
            case = ET.SubElement(suite, "testcase", classname="datacenters", name=f"{datacenter} can be asked")
            ET.SubElement(case, "error", message=why)
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", ET.tostring(root, encoding="unicode", xml_declaration=True))


def _suite(root: ET.Element, name: str, verdicts: list[Verdict], outcome: Outcome) -> None:
    suite = ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(verdicts)),
        failures=str(sum(not verdict.holds for verdict in verdicts)),
        errors="0",
        timestamp=moment(outcome.began),
    )
    for verdict in verdicts:
        series = verdict.summary.series
        case = ET.SubElement(suite, "testcase", classname=str(series), name=verdict.condition)
        if not verdict.holds:
            meaning = REASONS.get(worst(verdict.summary), "")
            ET.SubElement(case, "failure", message=verdict.seen).text = meaning or None


def _pair(verdict: Verdict) -> tuple[str, str]:
    return verdict.summary.series.source, verdict.summary.series.destination
