"""Support bundles as values: what is in them, and what must never be."""
