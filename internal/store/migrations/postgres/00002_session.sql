-- +goose Up
CREATE TABLE session (
    hash       BYTEA PRIMARY KEY,      -- SHA-256 of what the browser holds, which is random
    token      BYTEA NOT NULL,         -- SHA-256 of the admin token it was opened with
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
