"""The state directory: what only this machine holds of a federation, above all the CA's key.

One private folder per federation. Certificate and key of the CA are one file, and so are gossip key and tokens: a pair
can't be torn.
Files are unlinked, not overwritten, when a federation ends: on journaling and flash storage overwriting promises
what it can't keep; disk encryption is what protects a discarded disk.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from meshkit.errors import MeshkitError
from meshkit.federation.private_folder import PrivateFolder
from meshkit.model import LIGHT_CHART, OFFICIAL_CHART, Datacenter, Federation
from meshkit.pki import inspect
from meshkit.pki.authority import Authority
from meshkit.pki.material import GossipKey, PrivateKey, Token
from meshkit.pki.profiles import CertProfile

TOKEN_NAMES = ("bootstrap", "replication", "agent", "dns", "mesh-gateway", "probe")
IDENTITY, AUTHORITY, SECRETS = "federation.json", "authority.pem", "secrets.json"
KEY_BEGIN = "-----BEGIN PRIVATE KEY-----"


@dataclass(frozen=True)
class FederationSecrets:
    """The gossip key and the ACL tokens by purpose; its repr shows none of them."""

    gossip: GossipKey
    tokens: dict[str, Token]


@dataclass(frozen=True)
class Identity:
    """Which federation this is: an id of its own, and its description as last federated."""

    id: str
    federation: Federation


def root() -> Path:
    """MESHKIT_STATE_DIR, else XDG_STATE_HOME/meshkit, else ~/.local/state/meshkit."""
    own = os.environ.get("MESHKIT_STATE_DIR")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "meshkit"


def known() -> tuple[str, ...]:
    """Names of the federations on this machine; a folder that a failed first run left behind is none."""
    folder = root()
    try:
        return tuple(sorted(file.parent.name for file in folder.glob(f"*/{IDENTITY}")))
    except OSError as error:
        raise MeshkitError(f"{folder} can't be read: {error.strerror}", hint=f"ls -ld {folder}") from error


def _about_all(held: Mapping[str, Any]) -> dict[str, Any]:
    """What ``federation.json`` says of the federation as a whole.

    Once the chart was ``light`` or the folder of the official one, and the other keys did not exist.
    """
    said = {key: value for key, value in held.items() if key not in ("id", "datacenters")}
    if said["chart"] not in ("", LIGHT_CHART, OFFICIAL_CHART):
        said |= {"chart": OFFICIAL_CHART, "chart_path": said["chart"]}
    return said


class State:
    """One federation's folder; nothing is created before something is saved."""

    def __init__(self, name: str, passphrase: bytes | None = None) -> None:
        self.path = root() / name
        self._folder = PrivateFolder(self.path)
        self._name = name
        self._passphrase = passphrase

    def identity(self) -> Identity | None:
        """Who the federation is, None when this machine does not know it."""
        content = self._folder.read(IDENTITY)
        if content is None:
            return None
        try:
            held: dict[str, Any] = json.loads(content)
            datacenters = tuple(Datacenter.of(entry) for entry in held["datacenters"])
            identity = Identity(str(uuid.UUID(held["id"])), Federation(datacenters=datacenters, **_about_all(held)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(IDENTITY) from error
        if [dc.primary for dc in datacenters].count(True) != 1:
            raise self._damaged(IDENTITY)
        return identity

    def authority(self) -> Authority | None:
        """The CA, None when there is none here. MeshkitError for a wrong passphrase or a damaged file."""
        content = self._folder.read(AUTHORITY)
        return Authority.load(content, self._passphrase) if content is not None else None

    def ca_certificate(self) -> str | None:
        """The CA's certificate in PEM, None when there is no CA here; what only looks needs no passphrase."""
        content = self._folder.read(AUTHORITY)
        if content is None:
            return None
        try:
            return x509.load_pem_x509_certificate(content).public_bytes(serialization.Encoding.PEM).decode()
        except ValueError as error:
            raise self._damaged(AUTHORITY) from error

    def secrets(self) -> FederationSecrets | None:
        """Gossip key and tokens, None when there are none here."""
        content = self._folder.read(SECRETS)
        if content is None:
            return None
        try:
            held: dict[str, Any] = json.loads(content)
            tokens = {name: Token.parse(text) for name, text in held["tokens"].items()}
            return FederationSecrets(GossipKey.parse(held["gossip"]), tokens)
        except (MeshkitError, ValueError, KeyError, TypeError, AttributeError):
            # Not chained: a JSON error carries the whole text that it could not read.
            raise self._damaged(SECRETS) from None

    def server_certificate(self, datacenter: str) -> tuple[str, PrivateKey] | None:
        """A datacenter's server certificate and key, None when there is none here.

        A damaged pair is none: unlike the CA, a server certificate can be made anew at any time.
        """
        content = self._folder.read(f"server-{datacenter}.pem") or b""
        certificate, begin, key = content.decode(errors="replace").partition(KEY_BEGIN)
        private = PrivateKey(f"{begin}{key}")
        return (certificate, private) if inspect.is_pair(certificate, private.reveal()) else None

    def save_identity(self, federation: Federation) -> Identity:
        """Note the federation's description; its id stays what it was, a new one is made the first time."""
        before = self.identity()
        identity = Identity(before.id if before else str(uuid.uuid4()), federation)
        if identity != before:
            self._folder.write(IDENTITY, json.dumps({"id": identity.id, **asdict(federation)}, indent=2).encode())
        return identity

    def forget_certificate(self, datacenter: str) -> None:
        """Drop the server certificate of a datacenter that left."""
        self._folder.delete(f"server-{datacenter}.pem")

    def ensure_authority(self, profile: CertProfile, now: datetime) -> Authority:
        """The CA, made now when there is none."""
        found = self.authority()
        if found is None:
            found = Authority.create(profile, self._name, now)
            self._folder.write(AUTHORITY, found.dump(self._passphrase))
        return found

    def ensure_secrets(self, names: Sequence[str] = TOKEN_NAMES) -> FederationSecrets:
        """Gossip key and tokens; what is there stays, names that are new get a token."""
        found = self.secrets()
        if found and set(names) <= set(found.tokens):
            return found
        tokens = {name: Token.create() for name in names} | (found.tokens if found else {})
        made = FederationSecrets(found.gossip if found else GossipKey.create(), tokens)
        self._save_secrets(made)
        return made

    def _save_secrets(self, secrets: FederationSecrets) -> None:
        revealed = {name: token.reveal() for name, token in secrets.tokens.items()}
        self._folder.write(SECRETS, json.dumps({"gossip": secrets.gossip.reveal(), "tokens": revealed}).encode())

    def take_over(self, authority: Authority, secrets: FederationSecrets) -> None:
        """Keep a CA and secrets that were made elsewhere."""
        self._folder.write(AUTHORITY, authority.dump(self._passphrase))
        self._save_secrets(secrets)

    def save_server_certificate(self, datacenter: str, certificate: str, key: PrivateKey) -> None:
        """Keep a datacenter's server certificate and key."""
        self._folder.write(f"server-{datacenter}.pem", f"{certificate}{key.reveal()}".encode())

    def remove(self) -> None:
        """Forget the federation."""
        self._folder.remove(last=IDENTITY)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs on the same federation out for as long as this one lasts."""
        with self._folder.locked(f"federation {self._name}"):
            yield

    def _damaged(self, name: str) -> MeshkitError:
        return MeshkitError(f"{self.path / name} is damaged", hint="restore it from a backup of the state directory")
