-- People at the door, groups on the list, and who changed what. Times are wall time in epoch milliseconds.

CREATE TABLE strangers (
    user TEXT NOT NULL PRIMARY KEY,
    chat TEXT NOT NULL,
    name TEXT NOT NULL,
    handle TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('asked', 'declined', 'blocked')),
    asked_ms INTEGER NOT NULL,
    by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Named apart from the keyword.
CREATE TABLE listed_groups (
    chat TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    user TEXT NOT NULL,
    chat TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at_ms);
