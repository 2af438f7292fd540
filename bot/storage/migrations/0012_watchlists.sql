-- Instruments that chats have put aside. `instruments` is a JSON list of keys; times are epoch milliseconds.

CREATE TABLE watchlists (
    chat TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('pins', 'recent', 'named')),
    name TEXT NOT NULL,
    instruments TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    PRIMARY KEY (chat, kind, name)
) STRICT, WITHOUT ROWID;
