"""Lines like "Ada added erp" in a conversation: written by a job of the worker (recordings/http 107)."""

from chatwoot_fake import jobs
from chatwoot_fake.pool import Row
from chatwoot_fake.web.scope import Scope

STATUS_WORDS = {"open": "reopened", "resolved": "marked resolved", "pending": "marked pending", "snoozed": "snoozed"}


async def write(scope: Scope, conversation: Row, text: str) -> None:
    """Ask the worker to write the line."""
    job = jobs.active_job(
        "Conversations::ActivityMessageJob",
        "high",
        [
            {"_aj_globalid": f"gid://chatwoot/Conversation/{conversation['id']}"},
            {
                "account_id": scope.account,
                "inbox_id": conversation["inbox_id"],
                "message_type": "activity",
                "content": text,
            },
        ],
    )
    await jobs.push(scope.redis, job)


async def assigned(scope: Scope, conversation: Row, agent: Row | None) -> None:
    """A new assignee, or none any more."""
    name = scope.who.user["name"]
    if agent is None:
        await write(scope, conversation, f"Conversation unassigned by {name}")
    elif agent["id"] == scope.who.user["id"]:
        await write(scope, conversation, f"{name} self-assigned this conversation")
    else:
        await write(scope, conversation, f"Assigned to {agent['name']} by {name}")


async def priority(scope: Scope, conversation: Row, old: str | None, new: str | None) -> None:
    """A priority set, changed or removed."""
    name = scope.who.user["name"]
    if old and new:
        await write(scope, conversation, f"{name} changed the priority from {old} to {new}")
    elif new:
        await write(scope, conversation, f"{name} set the priority to {new}")
    elif old:
        await write(scope, conversation, f"{name} removed the priority")


async def labeled(scope: Scope, conversation: Row, before: list[str], after: list[str]) -> None:
    """Labels added and removed."""
    name = scope.who.user["name"]
    for word, labels in (
        ("added", [x for x in after if x not in before]),
        ("removed", [x for x in before if x not in after]),
    ):
        if labels:
            await write(scope, conversation, f"{name} {word} {', '.join(labels)}")


async def status(scope: Scope, conversation: Row, word: str) -> None:
    """A new status."""
    await write(scope, conversation, f"Conversation was {STATUS_WORDS[word]} by {scope.who.user['name']}")
