"""A release of Chatwoot: what an image reference says, and what the image itself says."""

from __future__ import annotations

import re
from dataclasses import dataclass

SANDBOX_PREFIX = "chatwoot-sandbox/"
_TAG = re.compile(r":(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*)$")
_VERSION = re.compile(r"^v?(?P<version>\d+\.\d+\.\d+)(?P<edition>-ce)?$")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image reference taken apart; `version` is empty for floating tags such as `latest-ce`."""

    text: str
    tag: str
    version: str
    pinned: bool

    @property
    def sandbox(self) -> bool:
        """Whether this is one of the stand-ins built here, which never is a real Chatwoot."""
        return self.text.startswith(SANDBOX_PREFIX)

    @property
    def community(self) -> bool:
        """Whether the tag names the Community Edition (facts, 1.1: tags without -ce are enterprise builds)."""
        return self.tag.endswith("-ce") or self.tag == "ce"


def parse_image(text: str) -> ImageReference:
    """The parts of an image reference; a bare image id (sha256:...) has no tag."""
    if text.startswith("sha256:"):
        return ImageReference(text, "", "", pinned=True)
    # The digest is cut off first: without a tag its own colon would be taken for one.
    match = _TAG.search(text.partition("@")[0])
    tag = match["tag"] if match else ""
    version = _VERSION.match(tag)
    return ImageReference(text, tag, version["version"] if version else "", pinned="@sha256:" in text)


def version_of_app_yml(text: str) -> str:
    """The version in an image's `/app/config/app.yml`, "" when there is none.

    It is the one file that names the running code in all 4.x releases (facts, 15).
    """
    match = re.search(r"^\s*version:\s*['\"]?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else ""


def order_of(release: str) -> tuple[int, ...]:
    """A key that orders releases such as v4.15.1-ce as numbers; empty for what names no version."""
    match = _VERSION.match(release)
    return tuple(int(part) for part in match["version"].split(".")) if match else ()
