/** The tables of the log. `user_version` of the database is the index of the last entry that was applied. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    stream TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    type TEXT NOT NULL,
    v INTEGER NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_stream ON events (stream, seq);
  CREATE INDEX events_by_type ON events (type, seq);
  CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  CREATE TABLE writer (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL) STRICT;
  INSERT INTO writer VALUES (1, 0);
  CREATE TABLE documents (key TEXT PRIMARY KEY, zstd BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE sealed (reference TEXT PRIMARY KEY, nonce BLOB NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE outputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt TEXT NOT NULL,
    time TEXT NOT NULL,
    stream TEXT NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX outputs_by_attempt ON outputs (attempt, id);
  CREATE TABLE snapshots (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, version INTEGER NOT NULL, zstd BLOB NOT NULL) STRICT, WITHOUT ROWID;
  `,
]
