-- What people set for one chat. `since_ms` is epoch milliseconds of the venue.

CREATE TABLE subscriptions (
    chat TEXT NOT NULL,
    rule TEXT NOT NULL,
    is_on INTEGER,
    level TEXT CHECK (level IN ('fewer', 'normal', 'more')),
    number REAL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (chat, rule)
) STRICT, WITHOUT ROWID;

CREATE TABLE looks (
    chat TEXT NOT NULL PRIMARY KEY,
    zone TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (detail IN ('short', 'normal', 'full')),
    has_charts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE topic_routes (
    chat TEXT NOT NULL,
    topic INTEGER NOT NULL,
    what TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (chat, topic, what)
) STRICT, WITHOUT ROWID;
