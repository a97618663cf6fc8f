"""Which path is answered by what; the rest is refused or unknown."""

import re

from aiohttp import web

from chatwoot_fake.web import account_routes, accounts, answers, cable, onboarding, pages, signing, storage

# What Chatwoot has below these and the fake has not is refused with 501; any other path Chatwoot has not either.
CHATWOOTS = re.compile(
    r"^/(api/v1/(accounts|profile|widget|integrations)|api/v2|platform|public/api|rails|super_admin|auth|widget|survey|hc"
    r"|webhooks|bot|packs|vite|installation|telegram|twitter|microsoft|google|linear|notion|omniauth)(/|$)"
)


async def unknown(request: web.Request) -> web.Response:
    """501 for what Chatwoot would answer, its 404 page for what it would not (recordings/http 011, 012)."""
    if CHATWOOTS.match(request.path):
        return answers.refused(request)
    return answers.static_page(404, "Page not found")


def add(app: web.Application) -> None:
    """All routes; the catch-all is last."""
    router = app.router
    router.add_get("/health", pages.health)
    router.add_get("/api", pages.api)
    router.add_get("/", pages.dashboard)
    router.add_get("/app", pages.dashboard)
    router.add_get("/app/{rest:.*}", pages.dashboard)
    router.add_get("/super_admin", pages.super_admin)
    router.add_get("/super_admin/sign_in", pages.super_admin_sign_in)
    router.add_get("/installation/onboarding", onboarding.show)
    router.add_post("/installation/onboarding", onboarding.create)
    router.add_post("/auth/sign_in", signing.sign_in)
    router.add_get("/auth/validate_token", signing.validate)
    router.add_delete("/auth/sign_out", signing.sign_out)
    router.add_get("/api/v1/profile", accounts.profile)
    router.add_post("/api/v1/accounts", accounts.sign_up)
    router.add_get("/api/v1/accounts/{account:\\d+}", accounts.show)
    account_routes.add(router)
    router.add_get("/rails/active_storage/blobs/redirect/{signed}/{name}", storage.redirect)
    router.add_get("/rails/active_storage/disk/{signed}/{name}", storage.content)
    router.add_get("/packs/js/sdk.js", pages.widget_script)
    router.add_get("/cable", cable.connect)
    router.add_route("*", "/{rest:.*}", unknown)
