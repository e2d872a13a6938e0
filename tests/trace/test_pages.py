"""Every cause has a page, and the README's table is the catalogue."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from meshkit.trace import pages
from meshkit.trace.cause import Cause
from meshkit.trace.causes import CATALOGUE

README = Path(__file__).parents[2] / "README.md"
UPDATE = "MESHKIT_UPDATE_GOLDEN"
SECTION = re.compile(r"(?<=test_pages\.py -->\n).*?(?=<!-- end of causes -->)", re.DOTALL)


def test_the_readme_has_the_catalogue() -> None:
    """Made from it; ``MESHKIT_UPDATE_GOLDEN=1`` writes it."""
    text, made = README.read_text(encoding="utf-8"), f"{pages.section()}\n"
    if os.environ.get(UPDATE) == "1":
        README.write_text(SECTION.sub(lambda _: made, text), encoding="utf-8")
        text = README.read_text(encoding="utf-8")

    found = SECTION.search(text)
    assert found
    assert found.group() == made, f"{UPDATE}=1 pytest tests/trace/test_pages.py writes it"


@pytest.mark.parametrize("cause", CATALOGUE, ids=lambda cause: cause.code)
def test_a_page(cause: Cause) -> None:
    """Code, fact, symptom, evidence and remedy; nothing is left to be filled in but in capitals."""
    page = pages.page(cause)

    assert page.startswith(f"{cause.code}: {cause.fact}")
    for text in (cause.symptom, cause.evidence, cause.hop):
        assert text in page
    assert not re.search(r"\{[a-z_]+\}", page)
