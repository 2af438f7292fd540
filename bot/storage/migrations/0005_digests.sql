-- A message may tell many alerts; how, and whether an earlier attempt at it may have arrived.
ALTER TABLE messages ADD COLUMN layout TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN ambiguous INTEGER NOT NULL DEFAULT 0 CHECK (ambiguous IN (0, 1));

-- Asked for by hand: told however old it is.
ALTER TABLE outbox ADD COLUMN again INTEGER NOT NULL DEFAULT 0 CHECK (again IN (0, 1));
