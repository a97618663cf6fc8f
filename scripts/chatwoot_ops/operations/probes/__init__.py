"""The smoke check's probes, one file per part of the stack; each proves one thing and says what to do when it fails."""
