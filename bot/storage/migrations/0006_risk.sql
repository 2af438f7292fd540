-- What people may lose, and stops that follow the market. Times are epoch milliseconds.

CREATE TABLE risk_settings (
    person TEXT NOT NULL PRIMARY KEY,
    equity REAL NOT NULL,
    risk_ratio REAL NOT NULL,
    leverage REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stop_watches (
    id TEXT NOT NULL PRIMARY KEY,
    chat TEXT NOT NULL,
    person TEXT NOT NULL,
    instrument TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('long', 'short')),
    entry REAL NOT NULL,
    stop REAL NOT NULL,
    told REAL NOT NULL,
    distance REAL NOT NULL,
    best REAL NOT NULL,
    tick_size REAL NOT NULL,
    n_told INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    touched_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX stop_watches_by_chat ON stop_watches (chat, created_ms, id);
