-- What lies in the history's folder. `keys` and `spans` are JSON, times are epoch milliseconds.

CREATE TABLE parts (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('import', 'fill', 'live')),
    place TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    keys TEXT NOT NULL,
    spans TEXT NOT NULL,
    n_rows INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_by_time ON parts (last_ms, first_ms);
CREATE INDEX parts_by_digest ON parts (digest);

-- Files whose rows were taken out and that may still lie there.
CREATE TABLE gone (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE instruments (
    key TEXT PRIMARY KEY,
    instrument TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    n_rows INTEGER NOT NULL,
    n_bad INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('seq', 0);
