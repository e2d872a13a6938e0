"""Upgrade: another version of Consul, one datacenter after the other."""
