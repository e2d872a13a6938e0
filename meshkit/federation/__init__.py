"""Federating datacenters: the procedure, its steps, its state, and taking it apart again."""
