"""Secret material that never prints itself: the gossip key, tokens, private keys.

``reveal`` is the one way to the value, so that every place where a secret leaves can be found by that word.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from typing import NoReturn, Self

from meshkit.errors import MeshkitError

GOSSIP_BYTES = 32
"""AES-256, the longest that Serf takes."""

REDACTED = "<redacted>"


class Secret:
    """A text that must not be shown; equality takes constant time, pickling is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({REDACTED})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        # The kinds differ in their hash, so equal texts of two kinds must not be equal.
        if not isinstance(other, Secret) or type(self) is not type(other):
            return False
        return secrets.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class GossipKey(Secret):
    """Serf's key: 32 bytes in base64, the same in every datacenter."""

    @classmethod
    def create(cls) -> Self:
        """A new random key."""
        return cls(base64.b64encode(secrets.token_bytes(GOSSIP_BYTES)).decode())

    @classmethod
    def parse(cls, text: str) -> Self:
        """A key as stored; MeshkitError when it is not 32 bytes in base64."""
        try:
            decoded = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if len(decoded) != GOSSIP_BYTES:
            raise MeshkitError("the gossip key is not 32 bytes in base64")
        return cls(text)


class Token(Secret):
    """An ACL token's SecretID: a UUID from the system's random source."""

    @classmethod
    def create(cls) -> Self:
        """A new random token."""
        return cls(str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """A token as stored; MeshkitError when it is not a UUID."""
        try:
            return cls(str(uuid.UUID(text)))
        except ValueError:
            # Not chained: uuid passes on int's error, which quotes the text.
            raise MeshkitError("an ACL token is not a UUID") from None


class PrivateKey(Secret):
    """A private key in PEM."""
