"""TLS: what a handshake takes, what the target presents in it, and whether it keeps the connection afterwards.

A handshake that ends well for the client is not yet a yes. A TLS 1.3 server judges the client's certificate after it,
and a sidecar asks its intentions only when the first bytes come, and closes then. So a probe may send a greeting and
watch for a while: an alert, an end or Envoy's own 403 is the mesh's refusal, silence or an answer is not.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar

from meshkit.probes.io import Io
from meshkit.probes.loop import Expired, Steps, Wait
from meshkit.probes.mechanisms.secure import Offer, Secure, Trust, dial
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

RBAC_DENIED = b"RBAC: access denied"
"""The body of Envoy's 403 (source/extensions/filters/http/rbac)."""


@dataclass(frozen=True)
class TlsTarget(Trust):
    """A host and a port, and whom to trust there.

    ``alpn`` are the protocols offered; when some are, the target must choose one. With ``linger_s`` the
    probe watches for that long whether the target closes the connection, after it was sent ``greeting``.
    """

    host: str
    port: int
    alpn: tuple[str, ...] = ()
    greeting: str = ""
    linger_s: float = 0.0
    mechanism: ClassVar[str] = "tls"

    def observe(self, io: Io, record: Record) -> Steps:
        """Shake hands, and watch what comes of it."""
        stream = yield from dial(io, record, self.host, self.port, Offer(self, self.host, self.alpn))
        try:
            check_alpn(stream, self.alpn)
            if self.linger_s:
                yield from self._watch(stream)
        finally:
            stream.close()

    def _watch(self, stream: Any) -> Generator[Wait, Any, None]:
        try:
            if self.greeting:
                yield from stream.send(self.greeting.encode())
            answer = yield from stream.receive_until(monotonic() + self.linger_s)
        except Expired:
            return  # the probe's deadline came before the end of the watch, and nothing was refused
        except ConnectionError as error:
            raise self._refused("reset", "the target reset the connection after the handshake") from error
        if answer == b"":
            raise self._refused("closed", "the target closed the connection after the handshake")
        if answer and RBAC_DENIED in answer:
            raise Failed("denied", one_line(RBAC_DENIED.decode()))

    def _refused(self, reason: str, detail: str) -> Failed:
        """In the mesh an end right after the handshake is how intentions refuse; elsewhere it is only an end."""
        return Failed("denied" if self.verify == "mesh" or self.identity else reason, detail)


def check_alpn(stream: Any, offered: tuple[str, ...]) -> None:
    """Failed when protocols were offered and the target chose none."""
    if offered and isinstance(stream, Secure) and stream.session.selected_alpn_protocol() is None:
        raise Failed("tls_alpn", f"the target chose none of {', '.join(offered)}")
