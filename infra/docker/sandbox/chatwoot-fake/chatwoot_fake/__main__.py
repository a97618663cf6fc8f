"""`python -m chatwoot_fake ...` is what `bundle exec ...` runs in the image."""

import sys

from chatwoot_fake.bundle import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
