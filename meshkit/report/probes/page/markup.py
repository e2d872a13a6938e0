"""Markup that is escaped by construction: text becomes markup only through ``tag``, which escapes it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape

NOT_HTML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Controls, surrogates and noncharacters, https://html.spec.whatwg.org/multipage/parsing.html#preprocessing."""
VOID = frozenset({"meta", "input", "br"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | Iterable[str | None] | None


def text(value: str) -> Markup:
    """Foreign text as markup."""
    return value if isinstance(value, Markup) else Markup(escape(NOT_HTML.sub("\N{REPLACEMENT CHARACTER}", value)))


def join(*parts: Content) -> Markup:
    """Parts, one after another; lists are flattened, None is nothing."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append(text(part))
        elif part is not None:
            found.extend(text(each) for each in part if each is not None)
    return Markup("".join(found))


def tag(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """An element. ``class_`` and ``for_`` lose their underscore, others become dashes; False and None are left out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_value(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False and value != ""
    )
    return Markup(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{join(*content)}</{name}>")


def _value(value: str | float) -> str:
    """Coordinates need one decimal."""
    return text(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def source_hash(content: str) -> str:
    """What a page's policy takes for the content of its style or script (CSP 3, hash sources)."""
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"
