"""Names of Redis keys, as a running 4.15.1 had them (recordings/redis.json, facts 3)."""

ONBOARDING = "alfred:CHATWOOT_INSTALLATION_ONBOARDING"
GLOBAL_CONFIG = "alfred:V1:GLOBAL_CONFIG:"
GLOBAL_CONFIG_SECONDS = 86_400
ALIVE_PREFIX = "SIDEKIQ::LIVENESS_PROBE_TIMESTAMP::"
ALIVE_HOSTS = "sidekiq-alive-hostnames"
ALIVE_HOST_PREFIX = "SIDEKIQ_REGISTERED_INSTANCE::"
CRON_JOBS = "cron_jobs:default"
CRON_JOB = "cron_job:default:"
THROTTLE = "velma:rack::attack:"
CABLE_PREFIX = "chatwoot_production_action_cable:"


def presence(account: int) -> str:
    """Sorted set: user id, last seen."""
    return f"alfred:ONLINE_PRESENCE::{account}::USERS"


def status(account: int) -> str:
    """Hash: user id, chosen availability."""
    return f"alfred:ONLINE_STATUS::{account}"


def queue(name: str) -> str:
    """List of jobs, newest at the head."""
    return f"queue:{name}"
