-- What draws a message anew of which a button is out of date: a command that only looks; empty where there is none.

ALTER TABLE buttons ADD COLUMN origin TEXT NOT NULL DEFAULT '';
