"""What an operator asks for: one file per task, with the same name as the task."""
