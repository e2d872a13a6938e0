"""Adopt: Consul installations that exist already become a federation of meshkit's, or it is said why they can't."""
