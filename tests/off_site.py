"""The settings of a remote, where a set lies there, and what can happen to it."""

from world import INSTANCE

NAME = "20261124T080000Z-logical"
FOLDER = f"chatwoot/{INSTANCE}/{NAME}"
REMOTE = {
    "CHATWOOT_INSTANCE_ID": INSTANCE,
    "BACKUP_REMOTE": "s3://kgc/chatwoot",
    "BACKUP_REMOTE_ACCESS_KEY": "AKIAEXAMPLE",
    "BACKUP_REMOTE_SECRET_KEY": "wJalrXUtnFEMI",
}


def flipped(s3, name):
    """One bit of a set's object is another one now."""
    content = bytearray(s3.objects[f"{FOLDER}/{name}"])
    content[3] ^= 1
    s3.objects[f"{FOLDER}/{name}"] = bytes(content)
