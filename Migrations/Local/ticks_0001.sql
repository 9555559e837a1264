-- The durable queue between feed and upload. Times: *_ms are milliseconds, *_us microseconds since the Unix epoch.

-- One row: which file this is. The id tells files apart upstream, because a fresh file counts from 1 again.
CREATE TABLE buffer (
    id TEXT NOT NULL,
    collector TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    notes_seq INTEGER NOT NULL DEFAULT 0
);

-- Rows up to acknowledged are upstream; rows up to deleted_through are no longer here. A stream's next number is one
-- more than the greatest of both and of its table's last seq, so it never restarts when the table runs empty.
CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    deleted_through INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO streams (stream) VALUES ('bars'), ('trades'), ('quotes');

-- Minute bars (interval_s 60) and second bars (1). The newest version of a bar has the greatest seq.
CREATE TABLE bars (
    seq INTEGER PRIMARY KEY,
    interval_s INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    open REAL,
    high REAL,
    low REAL,
    close REAL,
    volume REAL,
    vwap REAL,
    day_volume REAL,
    day_open REAL,
    day_vwap REAL,
    average_size REAL,
    otc INTEGER,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL,
    source TEXT NOT NULL
);

CREATE TABLE trades (
    seq INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    price REAL,
    size REAL,
    exchange INTEGER,
    tape INTEGER,
    trade_id TEXT,
    conditions TEXT,
    sequence INTEGER,
    trf_id INTEGER,
    trf_time_ms INTEGER,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL
);

CREATE TABLE quotes (
    seq INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    bid REAL,
    bid_size REAL,
    bid_exchange INTEGER,
    ask REAL,
    ask_size REAL,
    ask_exchange INTEGER,
    condition INTEGER,
    indicators TEXT,
    tape INTEGER,
    sequence INTEGER,
    received_us INTEGER NOT NULL,
    connection TEXT NOT NULL
);

-- Spans in which events may have been missed. symbols is a comma list, or * for all; events a comma list of AM, A, T, Q.
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    symbols TEXT NOT NULL,
    events TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    cause TEXT NOT NULL,
    recorded_us INTEGER NOT NULL
);

-- Events that were given up, by symbol and feed time; one row a symbol, reason and episode. first_seq and last_seq are
-- NULL for events that never had a number; symbol is * where it is not known.
CREATE TABLE drops (
    episode INTEGER NOT NULL,
    stream TEXT NOT NULL,
    symbol TEXT NOT NULL,
    reason TEXT NOT NULL,
    from_ms INTEGER,
    to_ms INTEGER,
    first_seq INTEGER,
    last_seq INTEGER,
    count INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (episode, stream, symbol, reason)
) WITHOUT ROWID;

-- Rows that the database will never take, with its reason.
CREATE TABLE dead_letters (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sql_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    row_json TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
);

-- What happened to the file itself, such as a damaged one that was set aside.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);
