"""Local servers that behave badly on purpose, with certificates made on the spot."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websocket import ABNF

TOO_MANY = 429
DAY = dt.timedelta(days=1)


class CertificateFiles:
    """A CA and what it signs, as PEM files in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._number = 0
        self.certificate = self._write(name, self._sign(self._name, self._key, ends_in=DAY, authority=True))

    def issue(self, name: str, *, ends_in: dt.timedelta = DAY, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """Certificate and key for a server at ``address``, or for a client called ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._sign(subject, key, ends_in=ends_in, authority=False, address=address)
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._folder / f"{name}.key"
        path.write_bytes(encoded)
        return self._write(name, signed), path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ends_in: dt.timedelta,
        authority: bool,
        address: str = "127.0.0.1",
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + ends_in)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            usage = x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._folder / f"{name}.crt"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


@contextmanager
def api_server(
    certificate: tuple[Path, Path],
    answers: dict[str, tuple[int, str]],
    *,
    client_ca: Path | None = None,
    knows: Callable[[str], bool] = lambda _: True,
) -> Iterator[str]:
    """An HTTPS server with fixed answers by path; its URL. ``client_ca`` demands a client certificate.

    Who is not known, by the Authorization header or else the client certificate's common name, gets a 401.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = answers.get(self.path.partition("?")[0], (404, '{"message": "not found"}'))
            if not knows(self.headers.get("Authorization") or _common_name(self.connection)):
                code, body = status(401, "Unauthorized")
            self.send_response(code)
            if code == TOO_MANY:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        # TLS 1.3 refuses after the client has begun to write, and its alert may be lost to a reset.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(client_ca)
    with _serving(Handler, context) as url:
        yield url


@contextmanager
def pod_server(
    certificate: tuple[Path, Path], answer: Callable[[bytes], bytes], *, opening: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """An API server that forwards to a pod's port, which gives each piece an answer; its URL.

    ``opening`` is what happens before it agrees to forward; an empty answer is an end of the connection.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            opening()
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())  # noqa: S324
            self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"])
            self.end_headers()
            for channel in (0, 1):
                self._send(bytes((channel, 0x35, 0x21)))
            while (piece := self._received()) and (said := answer(piece[1:])):
                self._send(b"\0" + said)
            self.close_connection = True

        def _send(self, payload: bytes) -> None:
            self.wfile.write(ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, payload).format())

        def _received(self) -> bytes:
            """One frame of less than 126 bytes, empty at the end."""
            if len(head := self.rfile.read(6)) < 6:
                return b""
            return bytes(ABNF.mask(head[2:], self.rfile.read(head[1] & 0x7F)))

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with _serving(Handler, context) as url:
        yield url


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext) -> Iterator[str]:
    """An HTTPS server's URL."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A refused handshake is what the tests want."""

    server = Quiet(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _common_name(connection: Any) -> str:
    peer = connection.getpeercert() or {}
    return next((value for part in peer.get("subject", ()) for key, value in part if key == "commonName"), "")


@contextmanager
def raw_server(greeting: bytes, taken: list[socket.socket] | None = None) -> Iterator[str]:
    """A port that accepts, sends ``greeting`` and closes; with an empty one it says nothing and holds on.

    ``taken`` are the connections that it has.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = [] if taken is None else taken

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if not greeting:
                    held.append(connection)
                    continue
                connection.recv(1024)
                connection.sendall(greeting)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def kubeconfig(path: Path, server: str, authority: Path, **user: Any) -> str:
    """A kubeconfig with the one context ``aks``; its path."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "aks",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "aks", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def status(code: int, message: str, **more: Any) -> tuple[int, str]:
    """An API server's error body."""
    return code, json.dumps({"kind": "Status", "apiVersion": "v1", "code": code, "message": message, **more})
