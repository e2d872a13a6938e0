"""Finds values that are known to be secret, however many there are, in one pass over a text.

One regular expression of all is tried alternative by alternative at every place: a Secret of 28 kB in lines of base64
costs seconds per MB. Whole words in a set would be quick, and miss a token inside of a longer word. Instead the text is
looked at in every fifth place only: of a value with eight characters or more, one such place has four in it that are
known (Wu and Manber, 1994), and only there it is compared.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

STEP, BLOCK = 5, 4
SHORTEST = STEP + BLOCK - 1
"""Known values that are shorter stay: they would blank ordinary words, and no key or token is so short."""

KEY_LINE = 32
WORD = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
"""What may be a token inside of a longer Secret, such as a configuration file."""

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
PRIVATE = "PRIVATE KEY-----"


class Known:
    """Values by name, as they are and as others write them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for name, value in values.items():
            for form in _forms(value):
                self._names.setdefault(form, name)
        self._blocks: dict[str, list[tuple[int, str]]] = {}
        longest_first = sorted(self._names, key=len, reverse=True)
        for before in reversed(range(STEP)):  # the leftmost first
            for form in longest_first:
                self._blocks.setdefault(form[before : before + BLOCK], []).append((before, form))

    def replace(self, text: str, write: Callable[[str], str]) -> str:
        """The text with what ``write`` makes of its name in each one's place; the leftmost and longest goes first."""
        parts: list[str] = []
        end = 0
        for place in range(0, len(text), STEP):
            for before, form in self._blocks.get(text[place : place + BLOCK], ()):
                begin = place - before
                if begin >= end and text.startswith(form, begin):
                    parts += (text[end:begin], write(self._names[form]))
                    end = begin + len(form)
        return "".join((*parts, text[end:]))


def _forms(value: str) -> Iterator[str]:
    """A secret as it may be written somewhere; nothing for what is public or too short to tell."""
    if len(value.strip()) < SHORTEST or (CERTIFICATE in value and PRIVATE not in value):
        return
    for raw in {value, value.strip()}:
        yield from (raw, json.dumps(raw)[1:-1], quote(raw, safe=""), base64.b64encode(raw.encode()).decode())
    if PRIVATE in value:
        yield from (line for line in _lines_of_keys(value) if len(line) >= KEY_LINE)
    else:
        yield from (word for word in WORD.findall(value) if re.search(r"\d", word) and re.search(r"[A-Za-z]", word))


def _lines_of_keys(value: str) -> Iterator[str]:
    """Lines of private keys, without those of certificates that may be beside them."""
    for block in re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(.*?)\s*-----END", value, re.DOTALL):
        yield from block.split()
