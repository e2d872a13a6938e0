"""The mesh identity: from a folder that is renewed under a running agent, or from memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshkit.probes.identity import Contexts, Identity
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.tls import TlsTarget
from meshkit.probes.reasons import Failed
from probes import responders
from probes.authority import Authority, server_context
from probes.once import observe

SPIFFE = "spiffe://b6fc.consul/ns/default/dc/aks/svc/mesh-probe"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def _write(folder: Path, identity: Identity) -> None:
    """Each file by rename, as the renewing process does."""
    for name, text in zip(
        ("cert.pem", "key.pem", "roots.pem"), (identity.certificate, identity.key, identity.roots), strict=True
    ):
        (folder / "new").write_text(text)
        (folder / "new").rename(folder / name)


def _mesh(contexts: Contexts) -> object:
    return contexts.context("mesh", "", "mesh", ())


def test_the_folders_identity_is_presented_and_its_roots_trusted(ca: Authority, tmp_path: Path) -> None:
    identity, server = tmp_path / "identity", tmp_path / "server"
    identity.mkdir()
    server.mkdir()
    _write(identity, ca.identity(SPIFFE))
    context = server_context(ca.leaf((), spiffe=SPIFFE), server, clients=ca.root)
    seen: list[object] = []
    io = Io(identity)
    with responders.tls(context, lambda c: seen.append(c.getpeercert()) or responders.stay(c)) as port:  # type: ignore[attr-defined]
        sample = observe(TlsTarget("127.0.0.1", port, verify="mesh", identity="mesh", linger_s=0.1), io=io)
    io.close()
    assert sample.ok, sample
    assert SPIFFE in str(seen)


def test_a_context_is_made_once_and_anew_when_the_files_are(ca: Authority, tmp_path: Path) -> None:
    _write(tmp_path, ca.identity(SPIFFE))
    contexts = Contexts(tmp_path, {})
    first = _mesh(contexts)
    assert _mesh(contexts) is first
    _write(tmp_path, ca.identity(SPIFFE))
    second = _mesh(contexts)
    assert second is not first
    assert _mesh(contexts) is second


def test_a_renewal_that_is_half_done_leaves_the_previous_one_in_use(ca: Authority, tmp_path: Path) -> None:
    _write(tmp_path, ca.identity(SPIFFE))
    contexts = Contexts(tmp_path, {})
    first = _mesh(contexts)
    renewed = ca.identity(SPIFFE)
    (tmp_path / "cert.pem").write_text(renewed.certificate)
    assert _mesh(contexts) is first
    (tmp_path / "key.pem").write_text(renewed.key)
    assert _mesh(contexts) is not first


@pytest.mark.parametrize("missing", ["cert.pem", "key.pem", "roots.pem"])
def test_without_one_of_the_files_there_is_no_identity(ca: Authority, tmp_path: Path, missing: str) -> None:
    _write(tmp_path, ca.identity(SPIFFE))
    (tmp_path / missing).unlink()
    io = Io(tmp_path)
    sample = observe(TlsTarget("127.0.0.1", responders.closed_port(), verify="mesh", identity="mesh"), io=io)
    io.close()
    assert (sample.reason, sample.phases) == ("no_identity", {})
    assert missing in sample.detail


@pytest.mark.parametrize(
    "damaged", [("cert.pem", "rubbish"), ("key.pem", "rubbish"), ("roots.pem", "rubbish"), ("key.pem", "encrypted")]
)
def test_a_damaged_file_is_no_identity_and_its_content_is_not_told(
    ca: Authority, tmp_path: Path, damaged: tuple[str, str]
) -> None:
    _write(tmp_path, ca.identity(SPIFFE))
    name, how = damaged
    text = "canary" if how == "rubbish" else _encrypted()
    (tmp_path / name).write_text(text)
    with pytest.raises(Failed) as refusal:
        _mesh(Contexts(tmp_path, {}))
    assert refusal.value.reason == "no_identity"
    assert "canary" not in refusal.value.detail


def _encrypted() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        .decode()
    )


def test_an_identity_in_memory_never_shows_its_key_and_leaves_no_file(ca: Authority, tmp_path: Path) -> None:
    identity = ca.identity(SPIFFE)
    assert identity.key not in repr(identity)
    assert "PRIVATE" not in repr(identity)
    Contexts(tmp_path, {"web": identity}).context("mesh", "", "web", ())
    assert list(tmp_path.iterdir()) == []


def test_a_name_without_an_identity_and_a_process_without_a_folder_have_none(tmp_path: Path) -> None:
    for contexts, name in ((Contexts(tmp_path, {}), "web"), (Contexts(None, {}), "mesh")):
        with pytest.raises(Failed) as refusal:
            contexts.context("none", "", name, ())
        assert refusal.value.reason == "no_identity"
