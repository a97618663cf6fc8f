"""Runs Chatwoot Community Edition with Docker Compose, and proves that it works.

Imports point downwards only: console, operations, then commands and adapters, then model, then errors.
`docs/architecture.md` has the picture; `pyproject.toml` has the contract that fails the build.
"""
