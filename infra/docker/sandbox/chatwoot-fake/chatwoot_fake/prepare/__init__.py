"""Database tasks: schema, migrations, seeds (facts 1.3; recordings, Starting and Upgrades)."""
