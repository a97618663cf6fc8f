"""Everything that touches the world: processes, files, network, clock. Thin, no decisions."""
