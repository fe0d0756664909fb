-- Times are microseconds since 1970 in UTC; 0 means none.
CREATE TABLE message (
    id              TEXT PRIMARY KEY,  -- UUID of version 7: ordered by time
    connector       TEXT NOT NULL,     -- '' for a config that was only tried
    type            TEXT NOT NULL,     -- a usage type of Logto's, or 'other'
    mode            TEXT NOT NULL,     -- direct, queued, test
    state           TEXT NOT NULL,     -- queued, sending, sent, failed, dead, expired, unknown
    code            TEXT NOT NULL,     -- why it was not sent, or not certainly
    detail          TEXT NOT NULL,     -- the same, for the operator
    recipient       TEXT NOT NULL,     -- masked
    address         {blob} NOT NULL,   -- keyed hash of the recipient
    body            {blob} NOT NULL,   -- keyed hash of connector and request body
    idempotency_key {blob},            -- keyed hash of connector and Idempotency-Key
    supersede_key   {blob},            -- keyed hash of what a newer code must share to supersede it
    superseded      BIGINT NOT NULL,   -- 1: a newer code was accepted
    hold            BIGINT NOT NULL,   -- 1: do not send it again after a crash
    attempts        BIGINT NOT NULL,   -- how often it was claimed; an outcome must name the last claim
    owner           TEXT NOT NULL,     -- the replica that claimed it
    due_at          BIGINT NOT NULL,   -- when to claim it; while it is being sent, when its lease ends
    expires_at      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    charges         TEXT NOT NULL,     -- what it used of which limits, as JSON
    payload         {blob},            -- sealed; kept only while it may still be sent
    steps           TEXT NOT NULL      -- what was done about it, as JSON
);
CREATE UNIQUE INDEX message_idempotency_key ON message(idempotency_key) WHERE idempotency_key IS NOT NULL;
-- With the connector in the index, a claim skips connectors without reading messages.
CREATE INDEX message_due ON message(due_at, state, connector) WHERE state IN ('queued', 'sending');
CREATE INDEX message_supersede_key ON message(supersede_key) WHERE supersede_key IS NOT NULL AND state IN ('queued', 'sending');
CREATE INDEX message_queued_body ON message(body) WHERE state = 'queued';
CREATE INDEX message_sealed ON message(expires_at) WHERE payload IS NOT NULL;
-- For lists, newest first, and for statistics.
CREATE INDEX message_incident ON message(substr(id, 29));
CREATE INDEX message_address ON message(address, id);
CREATE INDEX message_connector ON message(connector, id, type);
CREATE INDEX message_unsent ON message(id, state, connector, type) WHERE state <> 'sent';
CREATE INDEX message_kind ON message(id, connector, type, state, created_at, updated_at);

CREATE TABLE rate_limit (
    subject {blob} PRIMARY KEY,        -- keyed hash of what is limited, and for whom
    full_at BIGINT NOT NULL            -- when its whole allowance is available again
);

CREATE TABLE connector (
    id                   TEXT PRIMARY KEY,
    version              BIGINT NOT NULL,
    config               {blob} NOT NULL, -- its JSON, sealed
    metadata             TEXT NOT NULL,   -- Logto's, as JSON
    sync_profile         BIGINT NOT NULL,
    enable_token_storage BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);

CREATE TABLE email_template (
    id            TEXT PRIMARY KEY,
    language_tag  TEXT NOT NULL,
    template_type TEXT NOT NULL,
    details       TEXT NOT NULL,       -- as JSON
    version       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (language_tag, template_type)
);

CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    hash       {blob} NOT NULL UNIQUE, -- SHA-256 of the token, which is random
    scope      TEXT NOT NULL,          -- send, admin
    connector  TEXT NOT NULL,          -- '' for any
    note       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

CREATE TABLE session (
    hash       {blob} PRIMARY KEY,     -- SHA-256 of the browser's cookie, which is random
    token      {blob} NOT NULL,        -- SHA-256 of the admin token that signed in
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE audit (
    id      TEXT PRIMARY KEY,          -- UUID of version 7
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL              -- as JSON, without secrets
);

CREATE TABLE revision (
    name   TEXT PRIMARY KEY,
    number BIGINT NOT NULL
);
INSERT INTO revision (name, number) VALUES ('configuration', 1);

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value {blob} NOT NULL              -- sealed
);

CREATE TABLE replica (
    id      TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
