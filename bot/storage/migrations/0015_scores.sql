-- How alerts fared, and how often people want to be told. Times are epoch milliseconds of the venue.

CREATE TABLE score_moments (
    key TEXT NOT NULL PRIMARY KEY,
    rule_id TEXT NOT NULL,
    title TEXT NOT NULL,
    instrument TEXT NOT NULL,
    fired_ms INTEGER NOT NULL,
    price REAL,
    oi REAL,
    quadrant TEXT NOT NULL,
    price_usual TEXT NOT NULL,
    oi_usual TEXT NOT NULL,
    is_public INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX score_moments_by_time ON score_moments (fired_ms);

-- `draw` 0 is the alert itself, the others are random moments; `is_told`: of the alert's own, whether it needs no telling.
CREATE TABLE scores (
    key TEXT NOT NULL REFERENCES score_moments (key) ON DELETE CASCADE,
    draw INTEGER NOT NULL,
    horizon_ms INTEGER NOT NULL,
    price REAL,
    oi REAL,
    high REAL,
    low REAL,
    is_told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, draw, horizon_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX scores_untold ON scores (key) WHERE draw = 0 AND is_told = 0;

CREATE TABLE score_replies (
    destination TEXT NOT NULL PRIMARY KEY,
    replies TEXT NOT NULL CHECK (replies IN ('off', 'quiet', 'on'))
) STRICT, WITHOUT ROWID;
