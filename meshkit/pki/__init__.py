"""Certificates and keys of a federation: profiles, the authority, secret material, inspection. No I/O but profiles."""
