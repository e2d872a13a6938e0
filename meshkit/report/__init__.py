"""Renderers: values in, text or JSON-ready data out. No I/O."""
