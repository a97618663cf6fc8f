"""Labels on conversations and contacts: tags and taggings (facts 6)."""

from chatwoot_fake.pool import Session


async def of(session: Session, kind: str, record: int) -> list[str]:
    """Names in the order in which they were set."""
    rows = await session.all(
        "SELECT t.name FROM taggings g JOIN tags t ON t.id = g.tag_id WHERE g.taggable_type = %s"
        " AND g.taggable_id = %s AND g.context = 'labels' ORDER BY g.id",
        kind,
        record,
    )
    return [row["name"] for row in rows]


async def replace(session: Session, kind: str, record: int, names: list[str]) -> None:
    """Set the list; a name needs no label of the account."""
    async with session.connection.transaction():
        await session.run(
            "DELETE FROM taggings WHERE taggable_type = %s AND taggable_id = %s AND context = 'labels'", kind, record
        )
        for name in names:
            tag = await session.value(
                "INSERT INTO tags (name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET name = excluded.name"
                " RETURNING id",
                name,
            )
            await session.run(
                "INSERT INTO taggings (tag_id, taggable_type, taggable_id, context, created_at)"
                " VALUES (%s, %s, %s, 'labels', now())",
                tag,
                kind,
                record,
            )
