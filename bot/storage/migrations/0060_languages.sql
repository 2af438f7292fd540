-- The language of a chat: what was chosen, and what its person's Telegram speaks. Empty where neither is known.

ALTER TABLE looks ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE looks ADD COLUMN heard TEXT NOT NULL DEFAULT '';
