"""The web process: pages, API and the cable."""
