"""Consul's own forms as pure values: Helm values, config entries, ACL rules, names. No I/O."""
