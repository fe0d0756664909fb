-- +goose Up
-- What waits for a connector that has its share of the workers is passed over
-- without a look at each message.
DROP INDEX message_due;
CREATE INDEX message_due ON message(due_at, state, connector) WHERE state IN ('queued', 'sending');
