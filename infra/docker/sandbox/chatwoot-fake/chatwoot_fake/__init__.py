"""A stand-in for Chatwoot: what operators and clients meet, over a real PostgreSQL and a real Redis.

Each behavior names its fact: `recordings` is the README of the recordings made from a running 4.15.1,
`facts N` a section of the fact sheet. What it does not do it refuses with its own name.
"""
