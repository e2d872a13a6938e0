"""What may stand below a mechanism's name: the fields of its own class, each with the rule that its name calls for.

The forms are made from the mechanisms' classes, so that a mechanism's new field is known here at once. A probe is
stored in the clear in every cluster: what looks like a secret is refused, and never repeated in an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from meshkit.config.forms import Form, said
from meshkit.probes import mechanisms

LONGEST_TEXT = 4096
LONGEST_LIST = 64
LARGEST_NUMBER = 1 << 30
LONGEST_S = 60.0

UNSHOWN = frozenset({"url", "headers", "body", "greeting", "contains", "matches", "roots", "payload"})
"""Fields whose value an error must not repeat."""

_SECRET_NAME = re.compile(
    r"authorization|cookie|passw|secret|token|credential|api[-_]?key|access[-_]?key|private|signature|session|jwt",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"\b(?:bearer|basic)\s+\S|-----BEGIN [A-Z ]*PRIVATE KEY", re.IGNORECASE)
_LABEL = r"_?[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_CREDENTIALS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^/?#\s]*@", re.IGNORECASE)
_PARAMETER = re.compile(r"[?&;]([^=&;#]*)=")
REFUSAL = "this looks like a secret, and a probe is stored and shown in the clear"


def check_secrets(value: Any) -> Any:
    """The value, unless some text in it gives a secret away."""
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if isinstance(text, str) and _is_secret(text):
            raise said(REFUSAL)
    return value


def is_secret_name(name: str) -> bool:
    """Whether a header, parameter or key is one for secrets."""
    return bool(_SECRET_NAME.search(name))


def _is_secret(text: str) -> bool:
    header = text.partition(":")[0] if "://" not in text.partition(" ")[0] else ""
    names = [header if len(header) < len(text) else "", *_PARAMETER.findall(text)]
    return bool(_SECRET_VALUE.search(text) or _CREDENTIALS.search(text) or any(map(is_secret_name, names)))


def _text_of_number(value: Any) -> Any:
    """``version: 2`` is a number to YAML."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_host(value: str) -> str:
    if ":" in value:
        ip_address(value)
    elif not _HOST.fullmatch(value):
        raise ValueError(value)
    return value


Host = Annotated[
    str,
    AfterValidator(_is_host),
    Field(max_length=253, description="a host name or an address, without scheme or port"),
]
Port = Annotated[int, Field(ge=1, le=65535, description="a port from 1 to 65535")]
Seconds = Annotated[
    float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False, description=f"seconds from 0 to {LONGEST_S:g}")
]
Texts = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_TEXT)]],
    AfterValidator(check_secrets),
    Field(max_length=LONGEST_LIST, description=f"a list of at most {LONGEST_LIST} texts"),
]
BY_NAME: dict[str, Any] = {
    "host": Host,
    "name": Host,
    "type": Annotated[
        str, Field(pattern=r"^[A-Z][A-Z0-9]{0,14}$", description="a record type such as A, AAAA or SRV, in upper case")
    ],
    "server": Host,
    "connect_host": Host,
    "port": Port,
    "server_port": Port,
    "connect_port": Port,
    "url": Annotated[
        str,
        AfterValidator(check_secrets),
        Field(max_length=LONGEST_TEXT, pattern=r"^https?://\S+$", description="a URL with http:// or https://"),
    ],
    "version": Annotated[str, BeforeValidator(_text_of_number), Field(description='a version such as "1.1" or 2')],
    "redirects": Annotated[int, Field(ge=0, le=20, description="a whole number from 0 to 20")],
    "statuses": Annotated[
        list[Annotated[int, Field(ge=100, le=599)]],
        Field(min_length=1, max_length=LONGEST_LIST, description="a list of HTTP statuses, from 100 to 599"),
    ],
    "linger_s": Seconds,
}
"""Rules by a field's name, wherever it occurs."""

BY_TYPE: dict[Any, Any] = {
    str: Annotated[
        str,
        AfterValidator(check_secrets),
        Field(max_length=LONGEST_TEXT, description=f"a text of at most {LONGEST_TEXT}"),
    ],
    int: Annotated[int, Field(ge=0, le=LARGEST_NUMBER, description=f"a whole number from 0 to {LARGEST_NUMBER}")],
    float: Seconds,
    bool: Annotated[bool, Field(description="true or false")],
    tuple[str, ...]: Texts,
    tuple[int, ...]: Annotated[
        list[Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]],
        Field(max_length=LONGEST_LIST, description=f"a list of at most {LONGEST_LIST} whole numbers"),
    ],
}


def types(mechanism: str) -> Mapping[str, Any]:
    """A mechanism's fields and their types, without ``| None``."""
    kind = mechanisms.kind(mechanism)
    hints = get_type_hints(kind)
    return {field.name: _plain(hints[field.name]) for field in fields(kind)}


@cache
def form(mechanism: str) -> type[Form]:
    """The form of a mechanism's mapping."""
    kind = mechanisms.kind(mechanism)
    known = types(mechanism)
    required = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]
    made: dict[str, Any] = {
        name: (BY_NAME.get(name, BY_TYPE[type_]), ... if name in required else None) for name, type_ in known.items()
    }
    model: type[Form] = create_model(f"{mechanism.capitalize()}Form", __base__=Form, **made)
    model.expected = f"a mapping with {' and '.join(required)}" if required else "a mapping"
    return model


def _plain(hint: Any) -> Any:
    parts = [part for part in get_args(hint) if part is not type(None)]
    return parts[0] if type(None) in get_args(hint) and get_origin(hint) is not tuple else hint
