-- Copies the one message of the table, with other values in some columns, from the
-- oldest to the newest. Periods that are prime to each other spread states evenly over
-- connectors and types.
CREATE TEMPORARY TABLE copy AS
WITH RECURSIVE number (i, moment) AS (
    SELECT CAST(0 AS BIGINT), CAST({{.Begin}} AS BIGINT)
    UNION ALL
    SELECT i + 1, moment + {{.Step}} FROM number WHERE i + 1 < {{.Rows}}
)
SELECT message.*, i, moment FROM message, number;

UPDATE copy SET
    id = {{if .SQLite}}printf('%08x-%04x-7000-8000-%012x', moment / 1000 / 65536, moment / 1000 % 65536, i)
    {{- else}}lpad(to_hex(moment / 1000 / 65536), 8, '0') || '-' || lpad(to_hex(moment / 1000 % 65536), 4, '0') || '-7000-8000-' || lpad(to_hex(i), 12, '0'){{end}},
    connector = CASE WHEN i % 10 < 8 THEN 'default' WHEN i % 10 = 8 THEN 'second' ELSE 'third' END,
    -- The third connector has one type only: a filter for it and another type finds nothing.
    type = CASE
        WHEN i % 10 = 9 THEN 'Generic'
        WHEN i / 10 % 20 < 12 THEN 'SignIn'
        WHEN i / 10 % 20 < 17 THEN 'Register'
        WHEN i / 10 % 20 < 19 THEN 'ForgotPassword'
        ELSE 'Generic'
    END,
    state = CASE
        WHEN i % 50000 = 7 THEN 'dead'
        WHEN i % 47 = 0 THEN 'failed'
        WHEN i % 997 = 1 THEN 'unknown'
        WHEN i % 991 = 1 THEN 'expired'
        ELSE 'sent'
    END,
    -- One in 20,000 keeps the address that is searched for.
    address = CASE WHEN i % 20000 = 1 THEN address ELSE {{if .SQLite}}randomblob(32){{else}}sha256(CAST(CAST(i AS TEXT) AS BYTEA)){{end}} END,
    created_at = moment, updated_at = moment;

UPDATE copy SET code = CASE state
    WHEN 'failed' THEN 'recipient_rejected'
    WHEN 'dead' THEN 'provider_rejected'
    WHEN 'unknown' THEN 'outcome_unknown'
    ELSE ''
END;

ALTER TABLE copy DROP COLUMN i;
ALTER TABLE copy DROP COLUMN moment;
INSERT INTO message SELECT * FROM copy;
DROP TABLE copy;
