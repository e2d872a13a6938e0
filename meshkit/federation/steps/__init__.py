"""The steps of federate, one module each, with ``plan`` (reads only) and ``act`` (idempotent, ends verified)."""
