"""What is wrong, gravest first, before any figure."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.probes.ladder import RUNGS
from meshkit.probes.outcome import Judgement, Outcome
from meshkit.report.figures import count
from meshkit.report.probes.page.markup import Content, Markup, tag
from meshkit.report.probes.remarks import doubts

SHOWN = 12
"""More than so many are folded."""

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
    """One finding per destination, standing and sources: all rungs of a target that is down are one finding."""
    grouped: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for judgement in judgements:
        if judgement.standing != "up":
            key = (judgement.destination, judgement.standing, judgement.sources)
            grouped.setdefault(key, []).append(judgement.probe)
    for (destination, standing, sources), probes in grouped.items():
        ordered = [rung for rung in RUNGS if rung in probes] + sorted(set(probes) - set(RUNGS))
        what, names = ", ".join(ordered), ", ".join(sources)
        texts = {
            "path down": f"path down from {names}: {what}; others reach it",
            "target down": f"target down: {what}; nobody reaches it ({names})",
        }
        yield "✘", destination, texts.get(standing, f"{what}: no answer to {names}, which is alone: path or target")
