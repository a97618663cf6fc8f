"""Turns a refusal raised in a handler into its answer."""

from aiohttp import web

from chatwoot_fake.web import identity
from chatwoot_fake.web.layers import Handler


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Innermost layer."""
    try:
        return await handler(request)
    except identity.Refused as refusal:
        return refusal.answer
