"""How a path's evidence is gathered: everything at the same time in all clusters, and what can't be seen is told."""
