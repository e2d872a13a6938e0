"""One path through the mesh: its hops, what was seen at each, and the rules that name the first broken one. No I/O."""
