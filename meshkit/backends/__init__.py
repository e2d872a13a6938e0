"""The seam to everything outside the process: protocols in ``base``, one real implementation per module."""
