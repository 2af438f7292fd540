-- Alert state, its history, and the outbox. Times are epoch milliseconds.

CREATE TABLE alerts (
    rule_id TEXT NOT NULL,
    instrument TEXT NOT NULL,
    condition TEXT NOT NULL,
    state TEXT NOT NULL,
    held_ms INTEGER NOT NULL,
    pending_since_ms INTEGER NOT NULL,
    fired_ms INTEGER NOT NULL,
    cooldown_until_ms INTEGER NOT NULL,
    key TEXT NOT NULL,
    value REAL,
    peak REAL,
    told_value REAL,
    told_ms INTEGER NOT NULL,
    n_told INTEGER NOT NULL,
    PRIMARY KEY (rule_id, instrument)
) STRICT, WITHOUT ROWID;

CREATE TABLE transitions (
    seq INTEGER PRIMARY KEY,
    rule_id TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    state TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    value REAL,
    key TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (rule_id, venue, symbol, at_ms, state, key)
) STRICT;

CREATE INDEX transitions_by_time ON transitions (at_ms);
CREATE INDEX transitions_by_symbol ON transitions (symbol, venue, at_ms);

-- One send: it carries one or more rows of the outbox.
CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY,
    destination TEXT NOT NULL,
    provider_id TEXT,
    text_version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'buried')),
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    settled_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_by_state ON messages (state, settled_ms);

-- One thing to tell one destination. `state` repeats that of its message, so that open rows have an index.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    destination TEXT NOT NULL,
    severity TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    view TEXT NOT NULL,
    message_id TEXT REFERENCES messages (id),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'delivered', 'buried'))
) STRICT;

CREATE INDEX outbox_open ON outbox (destination, seq) WHERE state IN ('waiting', 'sending');
CREATE INDEX outbox_by_key ON outbox (key, destination);
CREATE INDEX outbox_by_message ON outbox (message_id);
CREATE INDEX outbox_by_state ON outbox (state);

CREATE TABLE key_values (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
