-- The newest proof of each server is asked for on the first screen: found here, not by reading all its backups.
CREATE INDEX backups_by_proof ON backups (server, json_extract(record, '$.verified'));
