"""Work that takes longer than a turn of the loop may, in a thread of its own while other probes go on.

For what is rare (an import, an answer of thousands of records): starting a thread takes 100 us. It is looked after
every few milliseconds, so this is no part of any measured time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

from meshkit.probes.loop import MAIL, Wait

LOOK_S = 0.005

Result = TypeVar("Result")


def aside(work: Callable[[], Result]) -> Generator[Wait, Any, Result]:
    """What ``work`` returns or raises; past the probe's deadline it goes on unheeded, and ends with the process."""
    results: list[Result] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001, raised where it is waited for
            failures.append(error)

    thread = threading.Thread(target=run, name="aside", daemon=True)
    thread.start()
    while thread.is_alive():
        yield MAIL, object(), monotonic() + LOOK_S
    if failures:
        raise failures[0]
    return results[0]
