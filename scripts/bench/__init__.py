"""The parts of scripts/bench-probes: what is measured, and the ground that it is measured on."""
