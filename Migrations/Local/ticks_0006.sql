CREATE TABLE luld (
    -- Limit Up-Limit Down: price bands, and halts (indicator 17) and their ends (18).
    seq INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    high_band REAL,
    low_band REAL,
    indicators TEXT, -- a JSON array of numbers
    tape INTEGER,
    sequence INTEGER,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL
);

CREATE TABLE imbalances (
    -- Net Order Imbalance: orders of an auction that find no counterpart.
    seq INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    auction_time INTEGER, -- when it is planned, as hours and minutes in New York: 1600
    auction_type TEXT, -- O early opening, M core opening, H reopening, C closing, P and R closing imbalances
    sequence INTEGER,
    exchange INTEGER,
    imbalance REAL, -- shares without a counterpart
    paired REAL, -- shares with one
    clearing_price REAL,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL
);

CREATE TABLE fair_values (
    -- Fair Market Value: the provider's own estimate.
    seq INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    fair_value REAL,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL
);

INSERT INTO streams (stream) VALUES ('luld'), ('imbalances'), ('fair_values');
