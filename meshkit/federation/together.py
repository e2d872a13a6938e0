"""Many looks at once, with one deadline: what has not answered by then is unseen, and nobody waits for it.

Daemon threads and not a pool's: the interpreter waits for a pool's at its end, and a server that hangs would keep a
result that has long been printed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from meshkit.backends.base import Clock
from meshkit.errors import MeshkitError


def together(
    clock: Clock, looks: Mapping[str, Callable[[], Any]], timeout_s: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """What each look returned, and why the others returned nothing. Anything but a MeshkitError is a bug and raised."""
    answers: dict[str, Any] = {}
    unseen: dict[str, str] = {}
    bugs: list[BaseException] = []
    done = threading.Semaphore(0)

    def run(name: str, look: Callable[[], Any]) -> None:
        try:
            answers[name] = look()
        except MeshkitError as error:
            unseen[name] = error.message
        except BaseException as error:  # noqa: BLE001 - told in the thread that asked
            bugs.append(error)
        finally:
            done.release()

    for name, look in looks.items():
        threading.Thread(target=run, args=(name, look), name=f"look: {name}", daemon=True).start()
    end = clock.monotonic() + timeout_s
    for _ in looks:
        if not done.acquire(timeout=max(0.0, end - clock.monotonic())):
            break
    if bugs:
        raise bugs[0]
    late = {
        name: f"no answer within {round(timeout_s, 1):g} s"
        for name in looks
        if name not in answers and name not in unseen
    }
    return dict(answers), dict(unseen) | late
