-- The damaged files that this one was made from: rows through a sequence keep the numbers that they had there, and the
-- upload's ledger knows them by that file's id.
CREATE TABLE predecessors (
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (id, stream)
) WITHOUT ROWID;
