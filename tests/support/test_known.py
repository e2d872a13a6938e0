"""Known values are found as a regular expression of them all would, and as quickly however many they are."""

from __future__ import annotations

import base64
import random
import re
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.support.known import SHORTEST, Known

VALUES = st.lists(st.text("ab-", min_size=SHORTEST, max_size=20), min_size=1)
TEXT = st.text("ab-", max_size=200)


@given(VALUES, TEXT)
def test_the_leftmost_and_longest_goes_first(values: list[str], text: str) -> None:
    known = Known({value: value for value in values})
    forms = sorted(known._names, key=len, reverse=True)
    expected = re.sub("|".join(map(re.escape, forms)), lambda found: f"<{known._names[found[0]]}>", text)
    assert known.replace(text, lambda name: f"<{name}>") == expected


@pytest.mark.parametrize(
    "value", ["two words and a third", "line one\nline two\n", "ümläut§$%", "\t tabs\tand  blanks "]
)
@pytest.mark.parametrize("begin", range(6))
def test_any_character_may_be_in_it_and_it_may_stand_anywhere(value: str, begin: int) -> None:
    before = "x" * begin
    assert Known({"k": value}).replace(f"{before}{value}y", str.upper) == f"{before}Ky"


def test_a_secret_of_many_lines_takes_no_longer_than_one_of_few() -> None:
    chance = random.Random(1)  # noqa: S311 - the same lines each time
    lines = (base64.b64encode(chance.randbytes(30)).decode() for _ in range(700))
    text = "\n".join(str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(8_000))
    one, many = Known({"k": "one short value"}), Known({"k": "\n".join(lines)})

    def took(known: Known) -> float:
        begin = time.thread_time()
        assert known.replace(text, str.upper) == text
        return time.thread_time() - begin

    assert took(many) < 5 * took(one) + 0.1
