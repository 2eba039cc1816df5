-- How a plan's backups lie at its destinations, and how far transfers came.
ALTER TABLE plans ADD COLUMN layout TEXT NOT NULL DEFAULT '{"type":"vault"}';

-- What a transfer needs to go on after a restart: upload ids, part lists, segment maps. Never a secret.
CREATE TABLE transfers (
    name        TEXT PRIMARY KEY,
    state       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
