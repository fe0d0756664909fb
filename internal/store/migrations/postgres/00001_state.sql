-- +goose Up
-- Times are microseconds since 1970 in UTC; 0 is none.
CREATE TABLE message (
    id          TEXT PRIMARY KEY,      -- UUID of version 7: its order is that of time
    connector   TEXT NOT NULL,         -- '' for a config that was only tried
    type        TEXT NOT NULL,         -- one of Logto's usage types, else 'other'
    mode        TEXT NOT NULL,         -- direct, queued, test
    state       TEXT NOT NULL,         -- queued, sending, sent, failed, dead, expired, unknown
    code        TEXT NOT NULL,         -- why it was not sent, or not certainly
    recipient   TEXT NOT NULL,         -- masked
    address     BYTEA NOT NULL,         -- keyed hash of the recipient
    idempotency BYTEA,                  -- keyed hash of connector and Idempotency-Key
    body        BYTEA NOT NULL,         -- keyed hash of connector and request body
    person      BYTEA,                  -- keyed hash of whom a code is for
    overtaken   BIGINT NOT NULL,       -- 1: a newer code came
    hold        BIGINT NOT NULL,       -- 1: not to be sent again after a crash
    attempts    BIGINT NOT NULL,       -- how often it was taken up; an outcome must name the last
    owner       TEXT NOT NULL,         -- the replica that took it up
    due_at      BIGINT NOT NULL,       -- when to take it up; while sending, when its lease ends
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    limits      TEXT NOT NULL,         -- what it took of which limits, as JSON
    payload     BYTEA,                  -- sealed; only while it may still be sent
    report      TEXT NOT NULL          -- each step, as JSON
);
CREATE UNIQUE INDEX message_idempotency ON message(idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX message_due ON message(due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX message_person ON message(person) WHERE person IS NOT NULL AND state IN ('queued', 'sending');
CREATE INDEX message_waiting_body ON message(body) WHERE state = 'queued';
CREATE INDEX message_sealed ON message(expires_at) WHERE payload IS NOT NULL;
-- Lists are from the newest on. A message that is sent is in the first three only.
CREATE INDEX message_address ON message(address, id);
CREATE INDEX message_connector ON message(connector, type, id);
CREATE INDEX message_type ON message(type, id);
CREATE INDEX message_unsent ON message(state, id, connector, type) WHERE state IN ('failed', 'dead', 'expired', 'unknown');

CREATE TABLE rate_limit (
    subject BYTEA PRIMARY KEY,          -- keyed hash of what is limited and whom
    full_at BIGINT NOT NULL            -- when its allowance is whole again
);

CREATE TABLE connector (
    id                   TEXT PRIMARY KEY,
    version              BIGINT NOT NULL,
    config               BYTEA NOT NULL, -- its JSON, sealed
    metadata             TEXT NOT NULL, -- Logto's, as JSON
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
    hash       BYTEA NOT NULL UNIQUE,   -- SHA-256 of the token, which is random
    scope      TEXT NOT NULL,          -- send, admin
    connector  TEXT NOT NULL,          -- '' for any
    note       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
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
    value BYTEA NOT NULL                -- sealed
);

CREATE TABLE replica (
    id      TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
