"""Settings: ACL policies and tokens, proxy defaults and default deny, written once in the primary.

Global tokens and config entries replicate to the other datacenters, so nothing is repeated there; the mesh gateways
of all datacenters, and the servers behind them, become ready by themselves once their token has arrived.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import acl, config_entries
from meshkit.consul.config_entries import ANY, DEFAULT_DENY
from meshkit.consul.names import SERVER_SELECTOR
from meshkit.errors import MeshkitError
from meshkit.federation import compare_and_set, controller, pods, resource_entries
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter

TASK = "settings"


def plan(context: Context) -> tuple[Change, ...]:
    """What the primary lacks; everything, while it has no server that answers."""
    primary = context.federation.primary
    try:
        consul = context.consul(primary.name)
        return (
            *_policies(context, consul),
            *(Change("create", what, primary.name) for what in _lacking(context, consul)),
        )
    except MeshkitError:
        lacking = ("ACL policies and tokens", "proxy-defaults with gateway mode local", "default-deny intention")
    return tuple(Change("create", what, primary.name) for what in lacking)


def act(context: Context) -> None:
    """Write policies, tokens and config entries to the primary as soon as it has a leader."""
    primary = context.federation.primary
    pods.wait_ready(context, TASK, primary, SERVER_SELECTOR, lambda: _leaderless(context, primary))
    consul = context.consul(primary.name)
    _write_acls(context, consul)
    _write_entries(context)


def _leaderless(context: Context, primary: Datacenter) -> str:
    """What keeps the primary from taking writes: a leader that does not know the management token yet counts too."""
    consul = context.consul(primary.name)
    if not consul.leader():
        return "no leader yet"
    consul.policies()
    return ""


def _policies(context: Context, consul: Consul) -> Iterator[Change]:
    primary, wanted = context.federation.primary, acl.policies(official=context.federation.official)
    held = consul.policy_rules(wanted)
    for name, rules in wanted.items():
        if name not in held:
            yield Change("create", f"ACL policy {name}", primary.name)
        elif held[name] != rules:
            yield Change("update", f"ACL policy {name}", primary.name, "its rules changed")


def _lacking(context: Context, consul: Consul) -> Iterator[str]:
    for spec in _tokens(context):
        held = consul.token(_secret(context, spec.name))
        if held is None or not spec.matches(held):
            yield f"ACL token {spec.name}"
    if config_entries.gateway_mode(consul.config_entries("proxy-defaults")) != config_entries.GATEWAY_MODE:
        yield "proxy-defaults with gateway mode local"
    if DEFAULT_DENY not in config_entries.intentions(consul.config_entries(config_entries.INTENTIONS)):
        yield "default-deny intention"


def _write_acls(context: Context, consul: Consul) -> None:
    for name, rules in acl.policies(official=context.federation.official).items():
        consul.write_policy(name, rules, f"made by meshkit: {name}")
    for spec in _tokens(context):
        secret = _secret(context, spec.name)
        held = consul.token(secret)
        if held is None or not spec.matches(held):
            consul.write_token(secret, _accessor(context, spec.name), spec.body())


def _write_entries(context: Context) -> None:
    """Existing proxy defaults keep their other fields; only the gateway mode is meshkit's."""
    if context.federation.official:
        primary = context.federation.primary
        kube, selector = context.kube[primary.name], controller.INJECTOR_SELECTOR
        pods.wait_ready(context, TASK, primary, selector, lambda: controller.lacking(kube, primary.namespace))
    entries = resource_entries.of(context)
    entries.use_local_gateways()
    compare_and_set.rewrite(entries, lambda _, entry: _with_default_deny(entry), [ANY])


def _with_default_deny(entry: Manifest | None) -> Manifest | None:
    if entry and DEFAULT_DENY in config_entries.intentions([entry]):
        return entry
    return config_entries.with_intention(entry, DEFAULT_DENY)


def _tokens(context: Context) -> tuple[acl.TokenSpec, ...]:
    federation = context.federation
    return acl.tokens([dc.name for dc in federation.datacenters], official=federation.official)


def _secret(context: Context, token: str) -> str:
    held = context.state.secrets()
    if held is None:
        raise MeshkitError(f"the state directory {context.state.path} holds no tokens", hint="restore it from a backup")
    return held.tokens[token].reveal()


def _accessor(context: Context, token: str) -> str:
    """A token's public id, the same on every run, so that a killed run never leaves two tokens of one purpose."""
    identity = context.state.identity()
    federation_id = identity.id if identity else ""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"meshkit:{federation_id}:{token}"))
