"""What would be run: pure functions that return Command values and run nothing."""
