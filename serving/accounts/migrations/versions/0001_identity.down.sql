DROP TABLE audit_head, audit_log, signal_subscriptions, refresh_tokens, sessions, users, tenants, plans;
DROP FUNCTION may_see(uuid);
