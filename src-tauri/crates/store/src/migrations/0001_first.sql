-- Times are nanoseconds since the Unix epoch (…_ns). Structures are JSON, where nothing is searched by what is in them.
PRAGMA application_id = 1113678699;

CREATE TABLE servers (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    connection  TEXT NOT NULL,
    facts       TEXT,
    created_ns  INTEGER NOT NULL
) STRICT;

CREATE TABLE destinations (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    place         TEXT NOT NULL,
    vault_id      TEXT NOT NULL,
    kit_confirmed INTEGER NOT NULL,
    created_ns    INTEGER NOT NULL
) STRICT;

CREATE TABLE plans (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    server      TEXT NOT NULL REFERENCES servers (id),
    items       TEXT NOT NULL,
    created_ns  INTEGER NOT NULL
) STRICT;
CREATE INDEX plans_by_server ON plans (server);

CREATE TABLE plan_destinations (
    plan        TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    destination TEXT NOT NULL REFERENCES destinations (id),
    PRIMARY KEY (plan, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_destinations_by_destination ON plan_destinations (destination);

-- A run outlives its plan, server and destination: no references. `owner` names the process it runs in.
CREATE TABLE runs (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    owner       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL,
    title       TEXT NOT NULL,
    plan        TEXT,
    server      TEXT,
    destination TEXT,
    backup      TEXT,
    created_ns  INTEGER NOT NULL,
    started_ns  INTEGER,
    ended_ns    INTEGER,
    counts      TEXT NOT NULL,
    problems    INTEGER NOT NULL,
    error       TEXT,
    result      TEXT
) STRICT;
CREATE INDEX runs_by_created ON runs (created_ns, seq);
CREATE INDEX runs_by_plan ON runs (plan, created_ns);
CREATE INDEX runs_open ON runs (state) WHERE state IN ('waiting', 'running');

CREATE TABLE problems (
    seq         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    item        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    reason      TEXT NOT NULL
) STRICT;
CREATE INDEX problems_by_run ON problems (run, seq);

CREATE TABLE run_log (
    seq         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    at_ns       INTEGER NOT NULL,
    line        TEXT NOT NULL
) STRICT;
CREATE INDEX run_log_by_run ON run_log (run, seq);

-- The columns are what lists filter and sort by; `record` is the whole. `kinds` is " files mysql ".
CREATE TABLE backups (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    destination TEXT NOT NULL REFERENCES destinations (id) ON DELETE CASCADE,
    started_ns  INTEGER NOT NULL,
    server      TEXT,
    server_name TEXT NOT NULL,
    plan        TEXT,
    plan_name   TEXT NOT NULL,
    kinds       TEXT NOT NULL,
    problems    INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    bytes_added INTEGER NOT NULL,
    record      TEXT NOT NULL,
    UNIQUE (id, destination)
) STRICT;
CREATE INDEX backups_by_started ON backups (started_ns, id);
CREATE INDEX backups_by_destination ON backups (destination, started_ns);
CREATE INDEX backups_by_server ON backups (server, started_ns);
CREATE INDEX backups_by_plan ON backups (plan, started_ns);
-- Holds all that a list filters and sorts by, so that the wide rows are read for one page only.
CREATE INDEX backups_for_lists ON backups (
    plan_name COLLATE NOCASE, server_name COLLATE NOCASE, started_ns, id, destination, server, plan, kinds, problems, bytes,
    bytes_added
);

CREATE TABLE host_keys (
    host        TEXT NOT NULL,
    port        INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    accepted_ns INTEGER NOT NULL,
    PRIMARY KEY (host, port)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq           INTEGER PRIMARY KEY,
    at_ns         INTEGER NOT NULL,
    who           TEXT NOT NULL,
    action        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash          TEXT NOT NULL
) STRICT;
-- The log only grows. This guards against our own mistakes; the chain shows what others did.
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;

CREATE TABLE settings (
    key         TEXT PRIMARY KEY,
    value       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
