"""The HTML report: one file that needs no network, and no script to be read."""

from __future__ import annotations

from meshkit.report.probes.page.document import as_html

__all__ = ["as_html"]
