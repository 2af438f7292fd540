-- What stands behind the buttons of messages. A chat service carries the id alone. Times are wall epoch milliseconds.
CREATE TABLE buttons (
    id TEXT NOT NULL PRIMARY KEY,
    chat TEXT NOT NULL,
    user TEXT NOT NULL,
    place TEXT NOT NULL,
    commands TEXT NOT NULL,
    issued_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX buttons_by_age ON buttons (issued_ms, id);
