"""Check results in their three forms."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

from meshkit.model import CheckResult
from meshkit.report import checks

RESULTS = (
    CheckResult("trust", "one CA", "pass", "", ""),
    CheckResult("trust", "time left", "warn", "eks: ends soon", "renew it"),
    CheckResult("wan", "members", "fail", 'aks sees <eks> as "failed" & gone', "mend the link"),
    CheckResult("wan", "catalogs", "skip", "could not be looked at in eks", "mend the failures above first"),
)


def test_text(golden: Callable[[str, str], None]) -> None:
    """By category, with signs, hints and a count."""
    golden("checks.txt", checks.as_text(RESULTS) + "\n")


def test_json() -> None:
    """Exactly the keys that scripts rely on."""
    found = checks.as_json(RESULTS)
    assert [entry.keys() for entry in found] == [{"category", "check", "verdict", "detail", "hint"}] * 4
    assert [entry["verdict"] for entry in found] == ["pass", "warn", "fail", "skip"]


def test_junit() -> None:
    """Suites per category; failures and skips count, and texts survive being XML."""
    root = ET.fromstring(checks.as_junit(RESULTS))  # noqa: S314 - our own output
    suites = {s.get("name"): (s.get("tests"), s.get("failures"), s.get("skipped")) for s in root}
    assert suites == {"trust": ("2", "0", "0"), "wan": ("2", "1", "1")}
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == 'aks sees <eks> as "failed" & gone'
    assert failure.text == "mend the link"
    output = root.find("./testsuite/testcase/system-out")
    assert output is not None
    assert output.text == "eks: ends soon; hint: renew it"


def test_nothing_at_all() -> None:
    """No results are an empty document, not an error."""
    assert checks.as_json(()) == []
    assert ET.fromstring(checks.as_junit(())).tag == "testsuites"  # noqa: S314 - our own output


def test_junit_with_control_characters() -> None:
    """What a pod's log may bring does not break the document."""
    result = CheckResult("wan", "members", "fail", "bad \x1b[31m byte \x00", "")
    assert ET.fromstring(checks.as_junit((result,))) is not None  # noqa: S314 - our own output
