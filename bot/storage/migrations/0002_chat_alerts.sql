-- Alerts that people made in chat. Their lives are in `alerts`, under their id. Times are epoch milliseconds.

CREATE TABLE chat_alerts (
    id TEXT NOT NULL PRIMARY KEY,
    chat TEXT NOT NULL,
    user TEXT NOT NULL,
    instrument TEXT NOT NULL,
    measure TEXT NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('<', '<=', '>', '>=')),
    level REAL NOT NULL,
    is_ratio INTEGER NOT NULL CHECK (is_ratio IN (0, 1)),
    created_ms INTEGER NOT NULL,
    clear_op TEXT CHECK (clear_op IN ('<', '<=', '>', '>=')),
    clear_level REAL,
    cooldown_ms INTEGER NOT NULL,
    for_ms INTEGER NOT NULL,
    repeat_ms INTEGER,
    escalate REAL,
    once INTEGER NOT NULL CHECK (once IN (0, 1)),
    severity TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_alerts_by_chat ON chat_alerts (chat, created_ms, id);
