-- Chat alerts may be silent, carry a note, and end by themselves (wall time, epoch milliseconds).
ALTER TABLE chat_alerts ADD COLUMN silent INTEGER NOT NULL DEFAULT 0 CHECK (silent IN (0, 1));
ALTER TABLE chat_alerts ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_alerts ADD COLUMN ends_ms INTEGER;

CREATE INDEX chat_alerts_ending ON chat_alerts (ends_ms) WHERE ends_ms IS NOT NULL;
