"""What mesh.yaml may say about a mesh gateway's public Service: the types of its keys."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from meshkit.config.forms import said

LONGEST_HOSTNAME = 253
_HOSTNAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+\.?")
_ANNOTATION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def _is_range(value: str) -> str:
    try:
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise said(f'expected an address range such as 203.0.113.0/24, not "{value[:60]}"') from None
    if "/" not in value or str(found) != value.lower():
        raise said(f'"{value}" is no range, {found} would be')
    return value


def _is_address(value: str) -> str:
    """An address or a name that others can reach, without a port: that is ``gatewayPort``."""
    if not value:
        return value
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        last = value.rstrip(".").rpartition(".")[2]  # of digits alone it would be half an address
        if len(value) <= LONGEST_HOSTNAME and _HOSTNAME.fullmatch(value) and not last.isdigit():
            return value
        raise ValueError(value) from None
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        raise said(f"{value} can't be reached from other clusters")
    return value


def _are_annotations(value: dict[str, str]) -> dict[str, str]:
    wrong = next((key for key in value if not _ANNOTATION.fullmatch(key)), None)
    if wrong is not None:
        raise said(f'"{wrong[:60]}" is no name of an annotation')
    return value


def _empty_for_none(value: object) -> object:
    """Nothing but comments below a key is YAML for null, and means none."""
    return {} if value is None else value


Internal = Annotated[bool, Field(description="true or false")]
SourceRanges = Annotated[
    list[Annotated[str, AfterValidator(_is_range), Field(description="an address range such as 203.0.113.0/24")]],
    Field(description="a list of address ranges such as 203.0.113.0/24"),
]
Annotations = Annotated[
    dict[str, str],
    BeforeValidator(_empty_for_none),
    AfterValidator(_are_annotations),
    Field(description="a mapping of annotations, each a text"),
]
Address = Annotated[
    str, AfterValidator(_is_address), Field(description="an address or a DNS name in lower case, without a port")
]
