-- Which of its rule's measures an alert follows, by its place among them and its text.

ALTER TABLE alerts ADD COLUMN option INTEGER;
ALTER TABLE alerts ADD COLUMN measure TEXT NOT NULL DEFAULT '';
