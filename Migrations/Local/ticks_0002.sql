-- What became of a gap: open; filled from the REST aggregates; empty, because nothing was traded; unfillable, because
-- the REST aggregates do not have it. settled_us is when that was found.
ALTER TABLE gaps ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE gaps ADD COLUMN detail TEXT;
ALTER TABLE gaps ADD COLUMN settled_us INTEGER;

-- The symbols and kinds of bars of a gap that were asked for already, and how many rows that brought.
CREATE TABLE gap_fills (
    gap INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    event TEXT NOT NULL,
    rows INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (gap, symbol, event)
) WITHOUT ROWID;

-- When a collector was last alive, to the half minute.
ALTER TABLE buffer ADD COLUMN alive_us INTEGER;
