"""The worker process: Sidekiq's traces in Redis, and jobs that really run (facts 3)."""
