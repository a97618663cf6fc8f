"""A kill as a test plays it: nothing that handles errors sees it."""


class KilledError(BaseException):
    """The process is gone here."""
