"""Features that a fresh account has (recordings/http/026-account.json)."""

FEATURES = (
    "inbound_emails", "channel_email", "channel_facebook", "help_center", "agent_bots", "macros", "agent_management",
    "team_management", "inbox_management", "labels", "custom_attributes", "automations", "canned_responses",
    "integrations", "voice_recorder", "channel_website", "campaigns", "reports", "crm", "auto_resolve_conversations",
    "chatwoot_v4", "contact_chatwoot_support_team", "channel_instagram", "assignment_v2", "channel_tiktok",
    "captain_tasks",
)
