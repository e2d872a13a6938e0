"""One run at a time, over the federation that the user was shown.

What a run is about is read, shown and confirmed before the lock is taken, since nobody should be kept out while a
question waits for its answer; so it is read once more under the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshkit.errors import MeshkitError
from meshkit.federation.state import Identity, State


@contextmanager
def held(state: State, shown: Identity | None) -> Iterator[None]:
    """Keep other runs out; MeshkitError when one has changed what was ``shown``."""
    with state.locked():
        if state.identity() != shown:
            raise MeshkitError("the federation changed meanwhile", hint="run again")
        yield
