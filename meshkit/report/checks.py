"""Check results: for people, for scripts, and as JUnit for CI systems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from meshkit.model import CheckResult

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, https://www.w3.org/TR/xml/#charsets; details quote foreign texts."""

SIGNS = {"pass": "✔", "warn": "!", "fail": "✘", "skip": "?"}


def as_text(results: Sequence[CheckResult]) -> str:
    """By category, what is wrong with its hint below it, and a count at the end."""
    lines: list[str] = []
    for category, group in groupby(results, key=lambda result: result.category):
        lines.append(category)
        for result in group:
            detail = f": {result.detail}" if result.detail else ""
            lines.append(f"  {SIGNS[result.verdict]} {result.check}{detail}")
            if result.hint:
                lines.append(f"      hint: {result.hint}")
    counts: Counter[str] = Counter(result.verdict for result in results)
    warnings = "warning" if counts["warn"] == 1 else "warnings"
    words = {"pass": "passed", "warn": warnings, "fail": "failed", "skip": "not made"}
    lines.append(", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]))
    return "\n".join(lines)


def as_json(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    """One object per check, in order."""
    return [
        {"category": r.category, "check": r.check, "verdict": r.verdict, "detail": r.detail, "hint": r.hint}
        for r in results
    ]


def as_junit(results: Sequence[CheckResult]) -> str:
    """One suite per category; a warning is a passed test with output."""
    root = ET.Element("testsuites", name="meshkit check")
    for category, group in groupby(results, key=lambda result: result.category):
        members = list(group)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=category,
            tests=str(len(members)),
            failures=str(sum(r.verdict == "fail" for r in members)),
            skipped=str(sum(r.verdict == "skip" for r in members)),
        )
        for result in members:
            _case(suite, result)
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", ET.tostring(root, encoding="unicode", xml_declaration=True))


def _case(suite: ET.Element, result: CheckResult) -> None:
    case = ET.SubElement(suite, "testcase", classname=result.category, name=result.check)
    if result.verdict == "fail":
        ET.SubElement(case, "failure", message=result.detail).text = result.hint
    elif result.verdict == "skip":
        ET.SubElement(case, "skipped", message=result.detail)
    elif result.verdict == "warn":
        ET.SubElement(case, "system-out").text = f"{result.detail}; hint: {result.hint}"
