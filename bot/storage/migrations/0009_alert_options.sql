-- Chat alerts may be silent, carry a note, and end by themselves; deleted ones can be brought back for a day. Wall time,
-- epoch milliseconds.
ALTER TABLE chat_alerts ADD COLUMN silent INTEGER NOT NULL DEFAULT 0 CHECK (silent IN (0, 1));
ALTER TABLE chat_alerts ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_alerts ADD COLUMN ends_ms INTEGER;
ALTER TABLE chat_alerts ADD COLUMN deleted_ms INTEGER;

DROP INDEX chat_alerts_by_chat;
CREATE INDEX chat_alerts_by_chat ON chat_alerts (chat, created_ms, id) WHERE deleted_ms IS NULL;
CREATE INDEX chat_alerts_ending ON chat_alerts (ends_ms) WHERE ends_ms IS NOT NULL AND deleted_ms IS NULL;
CREATE INDEX chat_alerts_deleted ON chat_alerts (deleted_ms) WHERE deleted_ms IS NOT NULL;
