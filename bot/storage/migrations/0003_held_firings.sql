-- Firings that another rule kept quiet and that no message has told of yet.

ALTER TABLE alerts ADD COLUMN n_held INTEGER NOT NULL DEFAULT 0;
