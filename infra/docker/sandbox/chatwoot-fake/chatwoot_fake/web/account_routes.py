"""The routes below an account."""

from aiohttp.web import UrlDispatcher

from chatwoot_fake.web import contacts, conversation_lists, conversations, hooks, inboxes, messages, settings
from chatwoot_fake.web.scope import Inside, inside

BASE = "/api/v1/accounts/{account:\\d+}"
CONVERSATION = "/conversations/{conversation:\\d+}"
EVERYBODY: tuple[tuple[str, str, Inside], ...] = (
    ("GET", "/inboxes", inboxes.index),
    ("GET", "/inboxes/{inbox:\\d+}", inboxes.show),
    ("GET", "/agents", settings.agents),
    ("GET", "/labels", settings.labels),
    ("GET", "/teams", settings.teams),
    ("POST", "/contacts", contacts.create),
    ("GET", "/contacts", contacts.index),
    ("GET", "/contacts/search", contacts.search),
    ("GET", "/contacts/{contact:\\d+}", contacts.show),
    ("PATCH", "/contacts/{contact:\\d+}", contacts.update),
    ("PUT", "/contacts/{contact:\\d+}", contacts.update),
    ("POST", "/contacts/{contact:\\d+}/labels", contacts.set_labels),
    ("GET", "/contacts/{contact:\\d+}/labels", contacts.labels),
    ("GET", "/contacts/{contact:\\d+}/conversations", conversations.of_contact),
    ("POST", "/conversations", conversations.create),
    ("GET", "/conversations", conversation_lists.index),
    ("GET", "/conversations/meta", conversation_lists.meta),
    ("GET", CONVERSATION, conversations.show),
    ("PATCH", CONVERSATION, conversations.update),
    ("POST", CONVERSATION + "/toggle_status", conversations.toggle_status),
    ("POST", CONVERSATION + "/toggle_priority", conversations.toggle_priority),
    ("POST", CONVERSATION + "/labels", conversations.set_labels),
    ("GET", CONVERSATION + "/labels", conversations.labels),
    ("POST", CONVERSATION + "/custom_attributes", conversations.set_attributes),
    ("POST", CONVERSATION + "/assignments", conversations.assign),
    ("POST", CONVERSATION + "/messages", messages.create),
    ("GET", CONVERSATION + "/messages", messages.index),
    ("PATCH", CONVERSATION + "/messages/{message:\\d+}", messages.update),
)
ADMINISTRATORS: tuple[tuple[str, str, Inside], ...] = (
    ("POST", "/inboxes", inboxes.create),
    ("POST", "/inboxes/{inbox:\\d+}/reset_secret", inboxes.reset_secret),
    ("POST", "/inbox_members", inboxes.add_members),
    ("POST", "/agents", settings.create_agent),
    ("POST", "/labels", settings.create_label),
    ("POST", "/teams", settings.create_team),
    ("GET", "/webhooks", hooks.index),
    ("POST", "/webhooks", hooks.create),
    ("PATCH", "/webhooks/{hook:\\d+}", hooks.update),
    ("PUT", "/webhooks/{hook:\\d+}", hooks.update),
    ("DELETE", "/webhooks/{hook:\\d+}", hooks.delete),
)


def add(router: UrlDispatcher) -> None:
    """All of them."""
    for admin, table in ((False, EVERYBODY), (True, ADMINISTRATORS)):
        for method, path, handler in table:
            router.add_route(method, BASE + path, inside(handler, admin=admin))
