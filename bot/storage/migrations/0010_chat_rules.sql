-- Conditions that people made in chat. Their lives are in `alerts`, under their id. Times are epoch milliseconds.

CREATE TABLE chat_rules (
    id TEXT NOT NULL PRIMARY KEY,
    chat TEXT NOT NULL,
    user TEXT NOT NULL,
    symbols TEXT NOT NULL,
    top INTEGER,
    "when" TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    cooldown_ms INTEGER NOT NULL,
    for_ms INTEGER NOT NULL,
    repeat_ms INTEGER,
    once INTEGER NOT NULL CHECK (once IN (0, 1)),
    silent INTEGER NOT NULL CHECK (silent IN (0, 1)),
    note TEXT NOT NULL,
    ends_ms INTEGER,
    deleted_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_rules_by_chat ON chat_rules (chat, created_ms, id);
