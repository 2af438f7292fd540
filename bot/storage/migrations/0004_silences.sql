-- What keeps alerts quiet, and outbox rows that are kept meanwhile. Times are epoch milliseconds of the venue.

CREATE TABLE silences (
    id TEXT NOT NULL PRIMARY KEY,
    starts_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    author TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    comment TEXT NOT NULL,
    rule TEXT NOT NULL,
    symbol TEXT NOT NULL,
    tag TEXT NOT NULL,
    severities TEXT NOT NULL,
    destination TEXT NOT NULL,
    expired_ms INTEGER,
    CHECK (ends_ms > starts_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE acks (
    key TEXT NOT NULL,
    destination TEXT NOT NULL,
    by TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    until_ms INTEGER,
    PRIMARY KEY (key, destination)
) STRICT, WITHOUT ROWID;

CREATE TABLE quiet_hours (
    destination TEXT NOT NULL PRIMARY KEY,
    starts_min INTEGER NOT NULL,
    ends_min INTEGER NOT NULL,
    zone TEXT NOT NULL,
    author TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A check cannot be changed in place, so the outbox is made anew with two more states: `muted` (kept, not for lanes)
-- and `folded` (was muted; `told_by` is the row that tells it, or empty where its alert's own message does).
CREATE TABLE outbox_with_mutes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    destination TEXT NOT NULL,
    severity TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    view TEXT NOT NULL,
    message_id TEXT REFERENCES messages (id),
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'sending', 'delivered', 'buried', 'muted', 'folded')),
    muted_reason TEXT NOT NULL DEFAULT '',
    muted_until_ms INTEGER NOT NULL DEFAULT 0,
    told_by TEXT NOT NULL DEFAULT ''
) STRICT;

INSERT INTO outbox_with_mutes (seq, id, key, kind, destination, severity, created_ms, view, message_id, state)
SELECT seq, id, key, kind, destination, severity, created_ms, view, message_id, state FROM outbox ORDER BY seq;

DROP TABLE outbox;
ALTER TABLE outbox_with_mutes RENAME TO outbox;

CREATE INDEX outbox_open ON outbox (destination, seq) WHERE state IN ('waiting', 'sending');
CREATE INDEX outbox_muted ON outbox (seq) WHERE state = 'muted';
CREATE INDEX outbox_folded ON outbox (created_ms) WHERE state = 'folded';
CREATE INDEX outbox_by_key ON outbox (key, destination);
CREATE INDEX outbox_by_message ON outbox (message_id);
CREATE INDEX outbox_by_state ON outbox (state);
