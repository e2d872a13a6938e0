"""Consul's HTTP API through python-consul2, with verified TLS and deadlines.

python-consul2 reads CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and CONSUL_HTTP_SSL* and lets them win over its arguments;
meshkit talks to several datacenters at once, so they are set aside here. What the library lacks (policies by name,
tokens with given ids, federation states) goes through its ``http`` object at the end of this file.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import consul as consul_library
import requests
from consul import base as consul_base
from consul import std

from meshkit.backends.base import Manifest, Member
from meshkit.errors import ForbiddenError, MeshkitError, NotFoundError, UnreachableError

TIMEOUT_S = (3.0, 10.0)
"""Connect and read. Consul itself gives up a remote datacenter's answer after 7 s (rpc_hold_timeout)."""

SERF_STATUS = {0: "none", 1: "alive", 2: "leaving", 3: "left", 4: "failed"}
"""Serf's MemberStatus, https://pkg.go.dev/github.com/hashicorp/serf/serf#MemberStatus."""

UNKNOWN_TOKEN = ("ACL not found", "primary-dc-down")
"""What a server says of a token before replication, or in the primary its first leader, has brought it."""

PASSING = ("No cluster leader", "No path to datacenter", "rpc error")
_ENVIRONMENT = threading.Lock()
T = TypeVar("T")


class ConsulClient:
    """``base.Consul`` for one datacenter's servers behind ``https://127.0.0.1:<port>`` (a forward)."""

    def __init__(self, datacenter: str, port: int, token: str, ca_file: str) -> None:
        self._datacenter = datacenter
        with _address_set_aside():
            self._client = consul_library.Consul(host="127.0.0.1", port=port, scheme="https", verify=ca_file)
        self._client.http.session.close()
        self._client.http = std.HTTPClient("127.0.0.1", port, "https", verify=ca_file, timeout=TIMEOUT_S)
        self._client.http.session.trust_env = False  # a proxy from the environment has no business on loopback
        self._client.token = token

    def close(self) -> None:
        """Drop the connections, so that the forward below can end."""
        self._client.http.session.close()

    def leader(self) -> str:
        """See ``base.Consul``; so for every public method below."""
        return str(self._call(self._client.status.leader) or "")

    def wan_members(self) -> Sequence[Member]:
        """See ``base.Consul``."""
        members = self._call(lambda: self._client.agent.members(wan=True))
        return [
            Member(entry["Name"], entry["Tags"].get("dc", ""), SERF_STATUS.get(entry["Status"], "none"), entry["Addr"])
            for entry in members
        ]

    def node_checks(self, node: str, datacenter: str) -> Sequence[Manifest]:
        """See ``base.Consul``."""
        _, checks = self._call(lambda: self._client.health.node(node, dc=datacenter))
        return checks or []

    def services(self, datacenter: str) -> Mapping[str, Sequence[str]]:
        """See ``base.Consul``."""
        _, services = self._call(lambda: self._client.catalog.services(dc=datacenter))
        return services or {}

    def instances(self, service: str, datacenter: str) -> Sequence[Manifest]:
        """See ``base.Consul``."""
        _, instances = self._call(lambda: self._client.catalog.service(service, dc=datacenter))
        return instances or []

    def health(self, service: str, datacenter: str, *, proxies: bool = False, matching: str = "") -> Sequence[Manifest]:
        """See ``base.Consul``."""
        params = [("dc", datacenter)] + ([("filter", matching)] if matching else [])
        kind = "connect" if proxies else "service"
        return self._request("get", f"/v1/health/{kind}/{quote(service)}", params=params) or []

    def discovery_chain(self, service: str, datacenter: str) -> Manifest:
        """See ``base.Consul``."""
        chain: Manifest = self._request(
            "get", f"/v1/discovery-chain/{quote(service)}", params=[("compile-dc", datacenter)]
        )
        return chain

    def allowed(self, source: str, destination: str) -> bool:
        """See ``base.Consul``."""
        params = [("source", source), ("destination", destination)]
        return bool(self._request("get", "/v1/connect/intentions/check", params=params)["Allowed"])

    def config_entries(self, kind: str) -> Sequence[Manifest]:
        """See ``base.Consul``."""
        return self._call(lambda: self._client.config.list(kind)) or []

    def write_config_entry(self, entry: Manifest, *, cas: int | None = None) -> bool:
        """See ``base.Consul``."""
        # The library's config.put leaves out a cas of 0, which would replace what somebody else has just created.
        return self._request("put", "/v1/config", params=_check_and_set(cas), body=entry) is not False

    def delete_config_entry(self, kind: str, name: str, *, cas: int | None = None) -> bool:
        """See ``base.Consul``."""
        # Without cas Consul answers {} and not true.
        return self._request("delete", f"/v1/config/{kind}/{quote(name)}", params=_check_and_set(cas)) is not False

    def acl_replication(self) -> Manifest:
        """See ``base.Consul``."""
        status: Manifest = self._request("get", "/v1/acl/replication")
        return status

    def force_leave(self, member: str) -> None:
        """See ``base.Consul``."""
        self._request("put", f"/v1/agent/force-leave/{quote(member)}", params=[("wan", ""), ("prune", "")])

    def policies(self) -> Mapping[str, Manifest]:
        """See ``base.Consul``."""
        return {entry["Name"]: entry for entry in self._request("get", "/v1/acl/policies")}

    def policy_rules(self, names: Collection[str]) -> Mapping[str, str]:
        """See ``base.Consul``."""
        # By id: a name that isn't there answers "ACL not found", which is also said of an unknown token.
        known = {name: entry["ID"] for name, entry in self.policies().items() if name in names}
        return {name: self._request("get", f"/v1/acl/policy/{known[name]}")["Rules"] for name in known}

    def write_policy(self, name: str, rules: str, description: str) -> None:
        """See ``base.Consul``."""
        body = {"Name": name, "Rules": rules, "Description": description}
        known = self.policies().get(name)
        if known is None:
            self._request("put", "/v1/acl/policy", body=body)
        elif self._request("get", f"/v1/acl/policy/{known['ID']}")["Rules"] != rules:
            self._request("put", f"/v1/acl/policy/{known['ID']}", body=body)

    def token(self, secret: str) -> Manifest | None:
        """See ``base.Consul``."""
        try:
            found: Manifest = self._request("get", "/v1/acl/token/self", token=secret)
        except (_UnknownTokenError, ForbiddenError, NotFoundError):
            return None
        return found

    def write_token(self, secret: str, accessor: str, body: Manifest) -> None:
        """See ``base.Consul``."""
        known = self.token(secret)
        whole = {"SecretID": secret, "AccessorID": known["AccessorID"] if known else accessor, **body}
        self._request("put", f"/v1/acl/token/{whole['AccessorID']}" if known else "/v1/acl/token", body=whole)

    def ca_roots(self) -> Manifest:
        """See ``base.Consul``."""
        roots: Manifest = self._request("get", "/v1/connect/ca/roots")
        return roots

    def leaf(self, service: str) -> Manifest:
        """See ``base.Consul``."""
        leaf: Manifest = self._request("get", f"/v1/agent/connect/ca/leaf/{quote(service)}")
        return leaf

    def gateways(self) -> Mapping[str, Sequence[Manifest]]:
        """See ``base.Consul``."""
        gateways: Mapping[str, Sequence[Manifest]] = self._request(
            "get", "/v1/internal/federation-states/mesh-gateways"
        )
        return gateways or {}

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
        token: str | None = None,
    ) -> Any:
        """One call that python-consul2 has no method for: parsed JSON, None for an empty answer."""
        headers = {"X-Consul-Token": token or self._client.token}
        options: dict[str, Any] = {"params": params, "headers": headers}
        if body is not None:
            options["data"] = json.dumps(body)
        send = getattr(self._client.http, method)
        return self._call(lambda: send(_parsed, path, **options))

    def _call(self, work: Callable[[], T]) -> T:
        """Run one request and map what the library raises."""
        try:
            return work()
        except consul_base.ACLPermissionDenied as error:
            text = _words(error)
            kind = _UnknownTokenError if any(words in text for words in UNKNOWN_TOKEN) else ForbiddenError
            raise kind(f"{self._datacenter}: consul: {text}") from error
        except consul_base.NotFound as error:
            raise NotFoundError(f"{self._datacenter}: consul: {_words(error)}") from error
        except consul_base.ConsulException as error:
            text = _words(error)
            passing = any(words in text for words in PASSING)
            raise (UnreachableError if passing else MeshkitError)(f"{self._datacenter}: consul: {text}") from error
        except (requests.RequestException, OSError) as error:
            raise UnreachableError(
                f"{self._datacenter}: the Consul server did not answer", detail=type(error).__name__
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MeshkitError(
                f"{self._datacenter}: what answers is not a Consul server", detail=repr(error)
            ) from error


class _UnknownTokenError(UnreachableError):
    """The server does not know the token (yet): to a wait that is no different from a server that is not up."""


def _check_and_set(index: int | None) -> list[tuple[str, str]]:
    return [] if index is None else [("cas", str(index))]


def _parsed(response: consul_base.Response) -> Any:
    """A python-consul2 callback that fails on 404 too; several endpoints answer with nothing, or ``true``."""
    consul_base.CB._status(response, allow_404=False)  # noqa: SLF001 - the library's own callbacks call it, nothing public does
    return json.loads(response.body) if response.body else None


@contextmanager
def _address_set_aside() -> Iterator[None]:
    """The library refuses to be made while CONSUL_HTTP_ADDR has a form that it does not know."""
    with _ENVIRONMENT:
        address = os.environ.pop("CONSUL_HTTP_ADDR", None)
        try:
            yield
        finally:
            if address is not None:
                os.environ["CONSUL_HTTP_ADDR"] = address


def _words(error: Exception) -> str:
    """The server's sentence, without the status number the library puts in front."""
    text = str(error).strip()
    head, _, rest = text.partition(" ")
    return rest if head.isdigit() else text
