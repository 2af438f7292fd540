-- People whom the bot knows, and codes that make strangers known. Times are wall time in epoch milliseconds.

CREATE TABLE members (
    user TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    chat TEXT NOT NULL,
    name TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_owner ON members (role) WHERE role = 'owner';

-- Only hashes: whoever reads the database cannot show a code.
CREATE TABLE codes (
    digest TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
    by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE wrong_codes (
    kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    user TEXT NOT NULL
) STRICT;

CREATE INDEX wrong_codes_by_kind ON wrong_codes (kind, at_ms);
