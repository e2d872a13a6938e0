"""What a certificate says, read from its DER form without trusting it.

The standard library shows the fields of verified certificates only, and agents have no other library for them. So this
reads the few fields that people ask for (RFC 5280, section 4.1), front to back, without recursion: every length is
checked against what encloses it, and what is not strict DER ends in Failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from meshkit.probes.reasons import Failed, one_line

SEQUENCE, SET, OID, BOOLEAN, INTEGER, OCTETS = 0x30, 0x31, 0x06, 0x01, 0x02, 0x04
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION, EXTENSIONS = 0xA0, 0xA3
SAN = bytes.fromhex("551d11")
MAIL, DNS, URI, IP = 0x81, 0x82, 0x86, 0x87
LENGTH_OCTETS = 3
"""A length of more octets than this is larger than any certificate."""
OID_OCTETS = 64

SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
"""RFC 4514, section 3."""

CHARACTERS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


class Certificate(NamedTuple):
    """``names`` are DNS names, addresses and mail, ``uris`` the rest; validity in Unix seconds."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    uris: tuple[str, ...]
    not_before: float
    not_after: float

    @property
    def spiffe(self) -> str:
        """The SPIFFE ID; empty unless there is exactly one URI and it is one (X.509-SVID, section 2)."""
        return self.uris[0] if len(self.uris) == 1 and self.uris[0].startswith("spiffe://") else ""


@lru_cache(maxsize=512)
def read(der: bytes) -> Certificate:
    """The fields of a certificate; Failed when it is none."""
    try:
        return _read(der)
    except (ValueError, IndexError, OverflowError) as error:
        raise Failed("tls_garbage", one_line(f"this is not a certificate: {error}")) from error


def _read(der: bytes) -> Certificate:
    signed = Reader(_only(der, SEQUENCE).take(SEQUENCE))
    if signed.next_is(VERSION):
        signed.take(VERSION)
    signed.take(INTEGER)
    signed.take(SEQUENCE)  # the signature's algorithm
    issuer = _name(signed.take(SEQUENCE))
    validity = Reader(signed.take(SEQUENCE))
    begin, end = _time(*validity.element()), _time(*validity.element())
    subject = _name(signed.take(SEQUENCE))
    signed.take(SEQUENCE)  # the public key
    names: list[str] = []
    uris: list[str] = []
    while signed.more:
        tag, content = signed.element()
        if tag == EXTENSIONS:
            _alternatives(content, names, uris)
    return Certificate(subject, issuer, tuple(names), tuple(uris), begin, end)


class Reader:
    """The elements of one constructed value, one after the other."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def next_is(self, tag: int) -> bool:
        """Whether the next element has this tag."""
        return self.more and self._data[self._at] == tag

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        found, content = self.element()
        if found != tag:
            raise ValueError(f"tag {found:#x} where {tag:#x} belongs")
        return content

    def element(self) -> tuple[int, bytes]:
        """Tag and content of the next element."""
        tag, length = self._data[self._at], self._data[self._at + 1]
        begin = self._at + 2
        if tag & 0x1F == 0x1F:  # noqa: PLR2004, X.690, 8.1.2.4: a tag of several octets follows
            raise ValueError("a tag of several octets")
        if length & 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= LENGTH_OCTETS:
                raise ValueError("a length that is indefinite or huge")
            length = int.from_bytes(self._data[begin : begin + octets], "big")
            begin += octets
            if length < 0x80 or length >> 8 * (octets - 1) == 0:  # noqa: PLR2004, X.690, 10.1: the shortest form
                raise ValueError("a length that is not in its shortest form")
        if begin + length > len(self._data):
            raise ValueError("a length beyond its end")
        self._at = begin + length
        return tag, self._data[begin : self._at]

    def all(self, tag: int) -> Iterator[bytes]:
        """The contents of what is left, each of which must have this tag."""
        while self.more:
            yield self.take(tag)


def _only(data: bytes, tag: int) -> Reader:
    """The elements within the one value that ``data`` must be."""
    outer = Reader(data)
    inner = Reader(outer.take(tag))
    if outer.more:
        raise ValueError("something follows its end")
    return inner


def _alternatives(extensions: bytes, names: list[str], uris: list[str]) -> None:
    """Add the subject's alternative names."""
    for extension in _only(extensions, SEQUENCE).all(SEQUENCE):
        fields = Reader(extension)
        kind = fields.take(OID)
        if fields.next_is(BOOLEAN):
            fields.take(BOOLEAN)
        value = fields.take(OCTETS)
        if kind != SAN:
            continue
        alternatives = _only(value, SEQUENCE)
        while alternatives.more:
            tag, content = alternatives.element()
            if tag == URI:
                uris.append(content.decode("ascii"))
            elif tag in (DNS, MAIL):
                names.append(content.decode("ascii"))
            elif tag == IP:
                names.append(str(ip_address(content)))


def _name(content: bytes) -> str:
    """A distinguished name as RFC 4514 writes it: the last part first."""
    parts = []
    for relative in Reader(content).all(SET):
        attributes = []
        for attribute in Reader(relative).all(SEQUENCE):
            fields = Reader(attribute)
            kind = _dotted(fields.take(OID))
            tag, value = fields.element()
            text = value.decode(CHARACTERS[tag]) if tag in CHARACTERS else f"#{value.hex()}"
            attributes.append(f"{SHORT_NAMES.get(kind, kind)}={_escaped(text) if tag in CHARACTERS else text}")
        parts.append("+".join(attributes))
    return ",".join(reversed(parts))


def _escaped(text: str) -> str:
    text = re.sub(r'([\\"+,;<>])', r"\\\1", text).replace("\0", r"\00")
    if text.startswith(("#", " ")):
        text = f"\\{text}"
    return f"{text[:-1]}\\ " if text.endswith(" ") and text != "\\ " else text


def _dotted(content: bytes) -> str:
    """An object identifier in its usual form (X.690, 8.19)."""
    if not 0 < len(content) <= OID_OCTETS or content[-1] & 0x80:
        raise ValueError("an object identifier that is huge or has no end")
    numbers, number = [], 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _time(tag: int, content: bytes) -> float:
    """Unix seconds of a UTCTime or GeneralizedTime in the forms that RFC 5280 (4.1.2.5) allows."""
    text = content.decode("ascii")
    if tag == UTC_TIME and re.fullmatch(r"[0-9]{12}Z", text):
        text = ("19" if text >= "50" else "20") + text
    elif tag != GENERALIZED_TIME or not re.fullmatch(r"[0-9]{14}Z", text):
        raise ValueError("a time that is none")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
