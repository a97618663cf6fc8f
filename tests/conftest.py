"""What holds for every test."""

import signal

# A run in the background of a shell inherits an ignored Ctrl-C, and so would the programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
