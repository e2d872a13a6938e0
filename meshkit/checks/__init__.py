"""Checks: what a healthy federation looks like, as data, judged over one observation of it."""
