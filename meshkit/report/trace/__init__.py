"""How a diagnosis is shown: for people, for scripts, as a page."""
