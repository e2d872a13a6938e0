"""Probing a federation: from what is wanted to probes, and from agents in every cluster to one outcome."""
