-- predecessors: the identifiers that this file had, oldest (least place) first. It takes a new one at every open, so that
-- a copy and the original never upload under the same one. Rows through a sequence may have gone up under it.
ALTER TABLE predecessors ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

-- The upload's transactions, written down before each COMMIT: under which identifier, and through which sequence. The
-- ledger upstream has the token of the last one that it saw; those before the newest settled one are deleted.
CREATE TABLE moves (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    through INTEGER NOT NULL
);
