"""Arguments and mesh.yaml in, a checked ``Federation`` out.

Both ways meet early: arguments become the same document that mesh.yaml holds, so one schema and one set of rules
decide for both, and what is right on the command line is right in the file. All that is wrong is reported at once,
as one UsageError.
"""

from __future__ import annotations

from meshkit.config.build import from_arguments, load
from meshkit.config.names import datacenter_name
from meshkit.config.template import template

__all__ = ["datacenter_name", "from_arguments", "load", "template"]
