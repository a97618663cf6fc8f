"""`rails console`: not Ruby, and it says so."""

import code

from chatwoot_fake.release import release


def interact() -> int:
    """A Python prompt until the end of input."""
    banner = f"chatwoot-fake {release()}: this is not a Rails console. Python, end with Ctrl-D."
    code.interact(banner=banner, exitmsg="", local={})
    return 0
