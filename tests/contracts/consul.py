"""What ``base.Consul`` promises of one federated datacenter, whichever servers are behind it."""

from __future__ import annotations

import uuid

from meshkit.backends.base import Consul


def _unique() -> str:
    return f"contract-{uuid.uuid4().hex[:8]}"


def _index(consul: Consul, name: str) -> int:
    return next(int(e["ModifyIndex"]) for e in consul.config_entries("service-intentions") if e["Name"] == name)


class ConsulContract:
    """Subclasses provide ``consul``, a client of the primary with the management token, and ``primary``, its name."""

    def test_leader(self, consul: Consul) -> None:
        """A datacenter that is up has a leader with an address."""
        assert ":" in consul.leader()

    def test_unknown_token(self, consul: Consul) -> None:
        """A token that was never written is None."""
        assert consul.token(str(uuid.uuid4())) is None

    def test_write_policy_twice(self, consul: Consul) -> None:
        """A policy written again stays one policy."""
        name = _unique()
        for description in ("first", "second"):
            consul.write_policy(name, 'node_prefix "" { policy = "read" }', description)
        assert consul.policies()[name]["Name"] == name
        assert len({policy["ID"] for policy in consul.policies().values() if policy["Name"] == name}) == 1

    def test_policy_rules(self, consul: Consul) -> None:
        """Rules are read back letter by letter, as last written; a policy that does not exist is left out."""
        name = _unique()
        for rules in ('\nnode_prefix "" { policy = "read" }\n', '\nnode_prefix "" { policy = "write" }\n'):
            consul.write_policy(name, rules, "")
            assert consul.policy_rules({name, _unique()}) == {name: rules}

    def test_write_token_twice(self, consul: Consul) -> None:
        """A token keeps the secret and accessor it was given, and a second write changes what it may do."""
        policy, secret, accessor = _unique(), str(uuid.uuid4()), str(uuid.uuid4())
        consul.write_policy(policy, 'node_prefix "" { policy = "read" }', "")
        for policies in ([], [{"Name": policy}]):
            consul.write_token(secret, accessor, {"Description": policy, "Policies": policies, "Local": False})
            held = consul.token(secret)
            assert held is not None
            assert (held["AccessorID"], held["SecretID"]) == (accessor, secret)
            assert [entry["Name"] for entry in held.get("Policies") or ()] == [entry["Name"] for entry in policies]

    def test_config_entry(self, consul: Consul) -> None:
        """An entry is read back as written, is replaced by a second write, and can be deleted twice."""
        name = _unique()
        for action in ("allow", "deny"):
            source = {"Name": "somebody", "Action": action}
            consul.write_config_entry({"Kind": "service-intentions", "Name": name, "Sources": [source]})
            found = [e for e in consul.config_entries("service-intentions") if e["Name"] == name]
            assert [s["Action"] for e in found for s in e["Sources"]] == [action]
        for _ in range(2):
            consul.delete_config_entry("service-intentions", name)
        assert name not in [e["Name"] for e in consul.config_entries("service-intentions")]

    def test_config_entry_of_somebody_else(self, consul: Consul) -> None:
        """Check-and-set writes and deletes what was read, and leaves alone what came in between."""
        name = _unique()
        entry = {"Kind": "service-intentions", "Name": name, "Sources": [{"Name": "first", "Action": "allow"}]}
        assert consul.write_config_entry(entry, cas=0) is True
        read = _index(consul, name)
        assert consul.write_config_entry(entry | {"Sources": [{"Name": "second", "Action": "allow"}]}, cas=0) is False
        assert consul.write_config_entry(entry | {"Sources": [{"Name": "third", "Action": "allow"}]}, cas=read) is True
        assert consul.write_config_entry(entry | {"Sources": [{"Name": "fourth", "Action": "deny"}]}, cas=read) is False
        assert consul.delete_config_entry("service-intentions", name, cas=read) is False
        (found,) = [e for e in consul.config_entries("service-intentions") if e["Name"] == name]
        assert [source["Name"] for source in found["Sources"]] == ["third"]
        for _ in range(2):  # what is gone already counts as deleted, whatever the index
            assert consul.delete_config_entry("service-intentions", name, cas=found["ModifyIndex"]) is True
        assert consul.write_config_entry(entry, cas=found["ModifyIndex"]) is False
        assert name not in [e["Name"] for e in consul.config_entries("service-intentions")]

    def test_no_entries(self, consul: Consul) -> None:
        """A kind without entries is an empty list."""
        assert list(consul.config_entries("service-splitter")) == []

    def test_catalog(self, consul: Consul, primary: str) -> None:
        """Servers stand in the catalog; a service that nobody registered has no instances."""
        assert "consul" in consul.services(primary)
        assert [entry["ServiceName"] for entry in consul.instances("consul", primary)] == ["consul"]
        assert list(consul.instances("missing", primary)) == []

    def test_node_checks(self, consul: Consul, primary: str) -> None:
        """A server's node is healthy by Serf's word; a node that does not exist has no checks."""
        checks = consul.node_checks("consul-server-0", primary)
        assert {check["Status"] for check in checks} == {"passing"}
        assert list(consul.node_checks("missing", primary)) == []

    def test_wan(self, consul: Consul, primary: str) -> None:
        """The WAN pool names members ``node.datacenter``, this datacenter's own among them."""
        members = {member.name: member for member in consul.wan_members()}
        assert members[f"consul-server-0.{primary}"].status == "alive"
        assert members[f"consul-server-0.{primary}"].datacenter == primary

    def test_gateways(self, consul: Consul, primary: str) -> None:
        """The primary knows its own gateways by their public address."""
        addresses = [gateway["Service"]["TaggedAddresses"]["wan"]["Address"] for gateway in consul.gateways()[primary]]
        assert all(addresses)

    def test_primary_replicates_from_nobody(self, consul: Consul) -> None:
        """Replication runs in secondaries only."""
        assert consul.acl_replication()["Enabled"] is False

    def test_health(self, consul: Consul, primary: str) -> None:
        """Instances come with their node and checks; nobody has registered the missing one, and no filter fits."""
        (found,) = consul.health("consul", primary)
        assert {"Node", "Service", "Checks"} <= found.keys()
        assert found["Service"]["ID"] == "consul"
        assert list(consul.health("missing", primary)) == []
        assert list(consul.health("missing", primary, proxies=True)) == []
        assert list(consul.health("consul", primary, matching='Service.Meta.version == "none"')) == []

    def test_discovery_chain(self, consul: Consul, primary: str) -> None:
        """A service for which nothing is configured leads to itself, in its own datacenter."""
        chain = consul.discovery_chain("missing", primary)["Chain"]
        assert chain["Default"] is True
        assert [(t["Service"], t["Datacenter"]) for t in chain["Targets"].values()] == [("missing", primary)]

    def test_allowed(self, consul: Consul) -> None:
        """Denied by default, allowed by an intention."""
        name = _unique()
        assert consul.allowed("somebody", name) is False
        source = {"Name": "somebody", "Action": "allow"}
        consul.write_config_entry({"Kind": "service-intentions", "Name": name, "Sources": [source]})
        assert consul.allowed("somebody", name) is True
        consul.delete_config_entry("service-intentions", name)
