"""Captures as people and programs read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from meshkit.capture.result import Losses, Result
from meshkit.report import capture as report
from report.captures import HOSTILE, result

Golden = Callable[[str, str], None]


def text(shown: Result) -> str:
    tables = report.as_tables(shown, connections=True)
    lines = ["  ".join(cells) for columns, rows in tables for cells in (columns, *rows, ("",))]
    return "\n".join([*lines, *report.remarks(shown), ""])


def test_tables(golden: Golden) -> None:
    """Destinations, connections, and what is not in them."""
    golden("capture.txt", text(result(losses=Losses(12, 3))))


def test_json(golden: Golden) -> None:
    """Every figure that the tables have, with units in seconds and bytes."""
    golden("capture.json", json.dumps(report.as_json(result()), indent=2) + "\n")


def test_the_live_view_is_for_narrow_terminals(golden: Golden) -> None:
    """Failures are red, and colours never the only sign."""
    from rich.console import Console  # noqa: PLC0415 - only this test needs it

    out = io.StringIO()
    view = report.live(result(), 12.5)
    Console(file=out, width=80, no_color=True).print(view)
    golden("capture-live.txt", out.getvalue())
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=True, color_system="standard").print(view)
    assert "\x1b[1;31m✘ 2" in out.getvalue()


def test_foreign_names_can_not_write_on_the_terminal() -> None:
    """Whoever connects chooses the name."""
    shown = text(result())
    assert HOSTILE not in shown
    assert "\x1b" not in shown
    assert "name evil" in shown


def test_an_empty_capture() -> None:
    nothing = Result("x.pcap", {}, ())
    ((_, rows),) = report.as_tables(nothing, connections=False)
    assert rows == []
    assert list(report.remarks(nothing)) == ["0 packets in 0 us, 0 lost"]
    assert report.as_json(nothing)["began"] is None
