"""This machine's Python as the files of an image, laid out like the official one.

The official image can't be pulled here. What it promises is a ``python3`` on PATH with the standard library, and that
is what this interpreter has, whether it is Debian's or one built from source: Python finds its library beside its
binary (``lib/python3.x`` next to ``bin``), so both may move together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PREFIX = "/usr/local"
"""Where the official image has its Python."""

LEFT_OUT = frozenset(
    {
        "config",
        "dist-packages",
        "distutils",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "sitecustomize.py",
        "test",
        "tests",
        "tkinter",
        "turtle.py",
        "turtledemo",
    }
)
"""By name, wherever in the library: tests, packages, windows on a screen, and what later versions dropped."""


@cache
def files() -> dict[str, Path]:
    """Path in the image to file on this machine: the binary and the library with its compiled modules."""
    library = Path(os.__file__).parent
    found = {f"{PREFIX}/bin/python3": Path(sys.executable).resolve()}
    for source in sorted(_kept(library)):
        found[f"{PREFIX}/lib/{library.name}/{source.relative_to(library)}"] = source
    return found


def unwinder(libraries: Iterable[Path]) -> dict[str, Path]:
    """libgcc_s, which the C library opens by name when a thread is ended: no binary lists it."""
    beside = (library.with_name("libgcc_s.so.1") for library in libraries if library.name == "libc.so.6")
    return {str(path): path for path in beside if path.exists()}


def _kept(folder: Path) -> Iterator[Path]:
    """Compiled modules are those that a plain start reads, not those of ``-O``."""
    compiled = f".{sys.implementation.cache_tag}.pyc"
    for path in folder.iterdir():
        if path.name in LEFT_OUT or path.name.startswith(("config-", "_test", "_ctypes_test", "_tkinter", "_xx")):
            continue
        if path.is_dir():
            yield from _kept(path)
        elif path.suffix in {".py", ".so"} or path.name.endswith(compiled):
            yield path
