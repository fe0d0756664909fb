-- +goose Up
CREATE TABLE session (
    hash       BLOB PRIMARY KEY,      -- SHA-256 of what the browser holds, which is random
    token      BLOB NOT NULL,         -- SHA-256 of the admin token it was opened with
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
