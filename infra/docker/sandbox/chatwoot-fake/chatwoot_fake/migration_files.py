"""Writes db/migrate at build time: one empty file for each version that the release knows."""

import sys
from pathlib import Path

from chatwoot_fake.prepare.migrations import LADDER, known_versions

if __name__ == "__main__":
    names = {step.version: step.name.lower() for step in LADDER}
    for version in known_versions():
        (Path(sys.argv[1]) / f"{version}_{names.get(version, 'chatwoot_fake')}.rb").touch()
