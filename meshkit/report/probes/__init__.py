"""Outcomes of probes in every form: tables and remarks for people, JSON, JUnit, CSV, one HTML page, a live view."""

from __future__ import annotations

from meshkit.report.probes.document import as_json
from meshkit.report.probes.junit import as_junit
from meshkit.report.probes.live import Live, live
from meshkit.report.probes.page import as_html
from meshkit.report.probes.remarks import remarks
from meshkit.report.probes.sheet import as_csv
from meshkit.report.probes.tables import as_tables

__all__ = ["Live", "as_csv", "as_html", "as_json", "as_junit", "as_tables", "live", "remarks"]
