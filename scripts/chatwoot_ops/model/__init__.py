"""Plain frozen data and pure functions: settings, stack, release, check, journal records."""
