CREATE TABLE reconciled (
    -- Days of a symbol whose minute bars were compared with the tape, the REST aggregates or the provider's flat file: what
    -- the last comparison found. A day that has no row here was never checked.
    symbol TEXT NOT NULL,
    day TEXT NOT NULL, -- the New York date, such as 2026-11-24
    regular INTEGER NOT NULL, -- minutes of the regular session: 390, or 210 on a half day
    present INTEGER NOT NULL, -- of these, minutes with a bar as the tape has it
    halted INTEGER NOT NULL, -- of these, minutes without a bar in a trading halt
    untraded INTEGER NOT NULL, -- of these, minutes without a bar that no halt explains: the tape has none either
    tape INTEGER NOT NULL, -- bars of the tape, those outside the regular session too
    added INTEGER NOT NULL, -- bars of the tape that were missing, and are here since
    corrected INTEGER NOT NULL, -- bars that were different from the tape's, and are as there since
    extra INTEGER NOT NULL, -- bars that the tape lacks; they stay
    missing INTEGER NOT NULL, -- bars of the tape that are still missing or different; 0: the day is complete
    at_ms INTEGER NOT NULL, -- when it was found
    PRIMARY KEY (symbol, day)
) WITHOUT ROWID;
