CREATE TABLE gaps_4 (
    -- Spans of the events' own time in which events may have been missed. A row is written when the loss begins and
    -- completed when it ends, so that a kill doesn't make it forgotten.
    id INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    symbols TEXT NOT NULL, -- a comma list, or * for all
    events TEXT NOT NULL, -- a comma list of AM, A, T, Q
    from_ms INTEGER NOT NULL,
    to_ms INTEGER, -- NULL while the loss lasts
    cause TEXT NOT NULL,
    recorded_us INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', -- whether it is filled: open, filled, empty, unfillable
    detail TEXT,
    settled_us INTEGER,
    uncertain INTEGER NOT NULL DEFAULT 0 -- 1: the clock was wrong meanwhile, and the ends may be off
);
INSERT INTO gaps_4 (id, connection, symbols, events, from_ms, to_ms, cause, recorded_us, state, detail, settled_us)
SELECT id, connection, symbols, events, from_ms, to_ms, cause, recorded_us, state, detail, settled_us FROM gaps;
DROP TABLE gaps;
ALTER TABLE gaps_4 RENAME TO gaps;
