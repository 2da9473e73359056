CREATE TABLE destinations (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('webhook', 'email', 'telegram')),
    address text NOT NULL,
    secret text, -- of webhooks: signs what is sent, so that it is kept as it is
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, kind, address)
);

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    symbol text NOT NULL,
    timeframe text NOT NULL,
    source text NOT NULL CHECK (source IN ('price', 'indicator', 'signal')),
    name text NOT NULL, -- of the indicator's column, else empty
    operator text NOT NULL CHECK (operator IN ('above', 'below', 'crosses_above', 'crosses_below')),
    threshold double precision NOT NULL,
    repeat text NOT NULL CHECK (repeat IN ('once', 'every_close')),
    expires_at timestamptz,
    active boolean NOT NULL DEFAULT true,
    last double precision, -- value at the last close seen: crossing needs it
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON alerts (user_id);
CREATE INDEX ON alerts (active) WHERE active;

-- One event per alert and candle, whoever finds it and how often.
CREATE TABLE alert_events (
    number bigserial PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    alert_id uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
    opened_at bigint NOT NULL,
    value double precision NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, opened_at)
);

CREATE TABLE alert_deliveries (
    event_id uuid NOT NULL REFERENCES alert_events (id) ON DELETE CASCADE,
    destination_id uuid NOT NULL REFERENCES destinations ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    dead_at timestamptz,
    error text,
    PRIMARY KEY (event_id, destination_id)
);
CREATE INDEX ON alert_deliveries (next_at) WHERE done_at IS NULL AND dead_at IS NULL;

-- How far the log was looked at; written together with what was found there.
CREATE TABLE alert_positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

ALTER TABLE destinations ENABLE ROW LEVEL SECURITY;
ALTER TABLE destinations FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON destinations USING (may_see(tenant_id));
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alerts USING (may_see(tenant_id));
ALTER TABLE alert_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_events USING (may_see(tenant_id));
ALTER TABLE alert_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_deliveries USING (may_see(tenant_id));

UPDATE plans SET limits = limits || '{"alerts": 5, "destinations": 2}' WHERE name = 'free';
UPDATE plans SET limits = limits || '{"alerts": 100, "destinations": 10}' WHERE name = 'pro';
UPDATE plans SET limits = limits || '{"alerts": 1000, "destinations": 50}' WHERE name = 'team';
