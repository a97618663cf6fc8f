"""What stops a command, each with the text that goes to standard error."""


class BootError(Exception):
    """The application cannot start with this environment (facts 1.2)."""


class PrepareError(Exception):
    """A database task gave up; the message says at which step."""


class NotDoneByFakeError(Exception):
    """Chatwoot can do this and the fake cannot."""

    def __init__(self, what: str) -> None:
        super().__init__(f"NotImplementedError: chatwoot-fake does not implement {what}")
