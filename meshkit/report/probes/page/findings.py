"""What is wrong, gravest first, before any figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from meshkit.probes.ladder import RUNGS
from meshkit.probes.outcome import Judgement, Outcome
from meshkit.report.figures import count
from meshkit.report.probes.page.markup import Content, Markup, tag
from meshkit.report.probes.remarks import doubts

SHOWN = 12
"""More than so many are folded."""

STANDINGS = {"path down": "path down", "target down": "target down", "unknown": "no answer"}

Finding = tuple[str, str, Content]


def findings(outcome: Outcome) -> Markup:
    """A list; what stands first is what to look at first."""
    found = list(_findings(outcome))
    if not found:
        return tag("p", tag("b", "✔", class_="good"), " nothing: everything answered as it should", class_="lead")
    items = [_item(*each) for each in found]
    rest = len(items) - SHOWN
    more = tag("details", tag("summary", f"{rest} more"), tag("ul", items[SHOWN:], class_="findings"), class_="more")
    return tag("div", tag("ul", items[:SHOWN], class_="findings"), more if rest > 0 else None)


def _item(sign: str, what: str, text: Content) -> Markup:
    return tag("li", tag("span", sign, class_="soft" if sign == "~" else "bad"), tag("b", what), tag("span", text))


def _findings(outcome: Outcome) -> Iterator[Finding]:
    for datacenter, why in sorted(outcome.missing.items()):
        yield "✘", datacenter, f"could not be asked: {why}"
    unmet = sum(not verdict.holds for verdict in outcome.verdicts)
    if unmet:
        link = tag("a", "which and what was seen", href="#expectations")
        yield "✘", "expectations", [f"{unmet:,} of {count(len(outcome.verdicts), 'expectation')} unmet: ", link]
    yield from _judged(outcome.judgements)
    for source, why in sorted(outcome.sick.items()):
        yield "!", f"prober {source}", f"sick: {why}; its samples count, and are marked *"
    for doubt in doubts(outcome):
        source, _, text = doubt.partition(": ")
        yield "~", source, text
    for note in outcome.notes:
        yield "~", "note", note


def _judged(judgements: tuple[Judgement, ...]) -> Iterator[Finding]:
    """What fails alike is one finding: all rungs of a target, and all targets that one source does not reach."""
    rungs: dict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for each in judgements:
        if each.standing != "up":
            rungs[each.destination, each.standing, each.sources].add(each.probe)
    alike: dict[tuple[str, tuple[str, ...], frozenset[str]], list[str]] = defaultdict(list)
    for (destination, standing, sources), probes in rungs.items():
        alike[standing, sources, frozenset(probes)].append(destination)
    for (standing, sources, failing), destinations in alike.items():
        ordered = [rung for rung in RUNGS if rung in failing] + sorted(failing - set(RUNGS))
        what, names, whom = ", ".join(ordered), ", ".join(sources), ", ".join(destinations)
        texts = {
            "path down": f"{names} to {whom}: {what}; others get there",
            "target down": f"{whom}: {what}; nobody gets there ({names})",
            "unknown": f"{whom}: {what}; {names} is alone: path or target",
        }
        yield "✘", STANDINGS[standing], texts[standing]
