-- The language of a chat, as somebody chose it there; empty where nobody did.

ALTER TABLE looks ADD COLUMN language TEXT NOT NULL DEFAULT '';
