"""``python -m meshkit.probes.agent``."""

from meshkit.probes.agent.main import main

raise SystemExit(main())
