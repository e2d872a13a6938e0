"""A diagnosis as one HTML file: a picture of the path, its hops, the cause, and all that was seen."""

from meshkit.report.trace.page.document import as_html

__all__ = ["as_html"]
