r"""Regular expressions over what a target sends, within a limit of time.

Python's expressions backtrack: ``(a+)+$``, or merely ``\s+$`` and a body of spaces, take longer than any deadline, and
hold the loop of all other probes meanwhile. They do look for signals as they go, so a timer ends them. Signals are the
main thread's: that is where agents probe. In another thread (probes from one's own machine) there is no such limit.
"""

from __future__ import annotations

import re
import signal
import threading
from typing import NoReturn

from meshkit.probes.reasons import Failed, one_line

LIMIT_S = 0.02


class _TooLongError(Exception):
    """The time is over."""


def search(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere; Failed when it takes too long to tell."""
    if threading.current_thread() is not threading.main_thread():
        return re.search(pattern, text) is not None
    before = signal.signal(signal.SIGALRM, _end)
    try:
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        try:
            return re.search(pattern, text) is not None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except _TooLongError as error:
        raise Failed("http_body", one_line(f"{pattern!r} takes too long to match the body")) from error
    finally:
        signal.signal(signal.SIGALRM, before)


def _end(*_: object) -> NoReturn:
    raise _TooLongError
