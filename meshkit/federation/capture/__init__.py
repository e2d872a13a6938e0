"""Capturing at mesh gateways: where, by which container, and what comes of it."""
