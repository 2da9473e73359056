-- Row-level security holds for the owner, too (FORCE): a transaction says whose rows it may see (cap.tenant), or that
-- it works for the platform itself (cap.platform), or sees nothing.

CREATE TABLE plans (
    name text PRIMARY KEY,
    rank integer NOT NULL UNIQUE,
    limits jsonb NOT NULL
);

INSERT INTO plans (name, rank, limits) VALUES
('free', 0, '{"subscriptions": 10, "connections": 3, "api_keys": 2, "requests_per_minute": 120}'),
('pro', 1, '{"subscriptions": 100, "connections": 20, "api_keys": 10, "requests_per_minute": 1200}'),
('team', 2, '{"subscriptions": 1000, "connections": 100, "api_keys": 50, "requests_per_minute": 6000}');

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    plan text NOT NULL DEFAULT 'free' REFERENCES plans,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email text NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '',
    role text NOT NULL CHECK (role IN ('viewer', 'analyst', 'admin', 'operator')),
    password_hash text,
    credentials_version integer NOT NULL DEFAULT 0,
    verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON users (tenant_id);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    secret bytea NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX ON sessions (user_id);

CREATE TABLE refresh_tokens (
    digest bytea PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX ON refresh_tokens (session_id);

CREATE TABLE signal_subscriptions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    symbol text NOT NULL,
    timeframe text NOT NULL DEFAULT '',
    type text NOT NULL CHECK (type IN ('technical', 'structure', 'model', 'all')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, symbol, timeframe, type)
);

-- The chain: every row's hash covers the row before it; the head says where the chain ends.
CREATE TABLE audit_log (
    sequence bigint PRIMARY KEY,
    tenant_id uuid,
    at timestamptz NOT NULL,
    event text NOT NULL,
    actor_id uuid,
    details jsonb NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE audit_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO audit_head (sequence, hash) VALUES (0, '\x');

CREATE FUNCTION may_see(tenant uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(tenant = nullif(current_setting('cap.tenant', true), '')::uuid, false)
        OR current_setting('cap.platform', true) = 'on'
$$;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (may_see(id));
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (may_see(tenant_id));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (may_see(tenant_id));
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON refresh_tokens USING (may_see(tenant_id));
ALTER TABLE signal_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE signal_subscriptions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON signal_subscriptions USING (may_see(tenant_id));
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_read ON audit_log FOR SELECT USING (may_see(tenant_id));
CREATE POLICY any_write ON audit_log FOR INSERT WITH CHECK (true);
