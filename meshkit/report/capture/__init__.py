"""Captures as tables, JSON and a live view."""

from meshkit.report.capture.document import as_json
from meshkit.report.capture.live import live, progress
from meshkit.report.capture.tables import as_tables, remarks

__all__ = ["as_json", "as_tables", "live", "progress", "remarks"]
