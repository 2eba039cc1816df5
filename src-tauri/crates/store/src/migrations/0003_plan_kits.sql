-- Whether a word of the recovery kit of a plan's archive key was typed back. Nobody knows it of the plans there are: they ask once.
ALTER TABLE plans ADD COLUMN kit_confirmed INTEGER NOT NULL DEFAULT 0;
