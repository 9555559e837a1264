-- ticks.sqlite as schema version 8 made it; never changed, so that its way to the newest version stays tested.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE buffer (
    id TEXT NOT NULL,
    collector TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    notes_seq INTEGER NOT NULL DEFAULT 0
, alive_us INTEGER);
INSERT INTO buffer VALUES('6f1c2a34-0b1d-4c55-9a7e-1234567890ab','edge-1',1380000000000000,3,1380000062000000);
CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    deleted_through INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO streams VALUES('bars',2,1);
INSERT INTO streams VALUES('fair_values',0,0);
INSERT INTO streams VALUES('imbalances',0,0);
INSERT INTO streams VALUES('luld',0,0);
INSERT INTO streams VALUES('quotes',5,5);
INSERT INTO streams VALUES('trades',0,0);
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
INSERT INTO bars VALUES(2,60,'AAPL',1380000000000,1380000060000,68.499999999999999999,68.75,68.249999999999999998,0.43719999999999997752,1200.0,68.400000000000005682,NULL,NULL,NULL,120.0,0,1380000061000001,'primary','stream');
INSERT INTO bars VALUES(3,60,'BRK.B',1380000000000,1380000060000,113.0,113.49999999999999999,112.5,113.25,2.5,NULL,NULL,NULL,NULL,NULL,NULL,1380000061000002,'primary','stream');
INSERT INTO bars VALUES(4,1,'AAPL',1380000060000,1380000061000,68.499999999999999999,68.499999999999999999,68.499999999999999999,68.499999999999999999,100.0,NULL,NULL,NULL,NULL,NULL,NULL,1380000061500000,'second','backfill');
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
INSERT INTO trades VALUES(1,'IBM',1380000000123,181.27000000000001023,100.0,11,1,'id-1','[0,12]',900000000000,202,1380000000124,1380000000200000,'primary');
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
INSERT INTO drops VALUES(1380000000000000,'bars','MSFT','oldest_dropped',1379999940000,1379999940000,1,1,1,1380000000000000);
CREATE TABLE dead_letters (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sql_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    row_json TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
);
INSERT INTO dead_letters VALUES('bars',2,'23503','no such symbol','{"seq":2}',1380000062000);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);
INSERT INTO incidents VALUES(1,1380000000000000,'set aside','ticks-bad-20130924T052000Z.sqlite: garbage');
CREATE TABLE gap_fills (
    gap INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    event TEXT NOT NULL,
    rows INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (gap, symbol, event)
) WITHOUT ROWID;
INSERT INTO gap_fills VALUES(1,'AAPL','AM',1,1379999998000000);
CREATE TABLE predecessors (
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    through INTEGER NOT NULL, place INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, stream)
) WITHOUT ROWID;
INSERT INTO predecessors VALUES('0a0b0c0d-0b1d-4c55-9a7e-1234567890ab','bars',1,1);
CREATE TABLE moves (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    through INTEGER NOT NULL
);
INSERT INTO moves VALUES(7,'6f1c2a34-0b1d-4c55-9a7e-1234567890ab','bars','7d1c2a34-0b1d-4c55-9a7e-1234567890ab',2);
CREATE TABLE "gaps" (
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
INSERT INTO gaps VALUES(1,'primary','AAPL,IBM','AM',1379999900000,1379999960000,'disconnected',1379999961000000,'filled','from the aggregates',1379999999000000,0);
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
INSERT INTO luld VALUES(1,'MSFT',1380000000123,1380000000123456789,218.11,209.11,'[1]',3,7,1380000000200000,'primary');
INSERT INTO imbalances VALUES(1,'IBM',1380000000123,1380000000123456789,1600,'C',44,10,480.0,440.0,25.030000000000001136,1380000000200000,'primary');
INSERT INTO fair_values VALUES(1,'MSFT',1380000000123,NULL,189.22,1380000000200000,'primary');
CREATE VIEW bars_latest AS
    -- One row a bar, in its newest version: a bar is sent again when late trades arrive. interval_s is 60 for minute bars
    -- (AM) and 1 for second bars (A). Times that end in _ms are milliseconds, in _us microseconds since the Unix epoch.
    -- There is no index, so that appending stays cheap: name a symbol and a span of start_ms where the file is large.
    SELECT
        max(seq) AS seq, -- the newest version's; SQLite takes the other columns from the same row
        interval_s, symbol, start_ms, end_ms, open, high, low, close, volume, vwap,
        day_volume, day_open, day_vwap, -- today's so far, as the feed says
        average_size, -- of a trade, in shares
        otc,
        received_us, connection,
        source -- stream, or what else brought it
    FROM bars GROUP BY interval_s, symbol, start_ms;

CREATE VIEW bars_utc AS
    -- bars_latest with readable times, in UTC.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', start_ms / 1000.0, 'unixepoch') AS start_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM bars_latest;

CREATE VIEW trades_utc AS
    -- Trades with readable times, in UTC. conditions is a JSON array of the sale conditions' numbers.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', time_ms / 1000.0, 'unixepoch') AS time_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM trades;

CREATE VIEW quotes_utc AS
    -- Quotes with readable times, in UTC. indicators is a JSON array of numbers.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', time_ms / 1000.0, 'unixepoch') AS time_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM quotes;

CREATE VIEW luld_utc AS
    -- Limit Up-Limit Down price bands with readable times, in UTC. Indicator 17 is a halt, 18 its end.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', time_ms / 1000.0, 'unixepoch') AS time_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM luld;

CREATE VIEW imbalances_utc AS
    -- Net order imbalances with readable times, in UTC. auction_time is hours and minutes in New York: 1600.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', time_ms / 1000.0, 'unixepoch') AS time_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM imbalances;

CREATE VIEW fair_values_utc AS
    -- Fair market values, the provider's own estimates, with readable times, in UTC.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', time_ms / 1000.0, 'unixepoch') AS time_utc,
        strftime('%Y-%m-%d %H:%M:%f', received_us / 1000000.0, 'unixepoch') AS received_utc,
        *
    FROM fair_values;

CREATE VIEW gaps_utc AS
    -- Spans of the events' own time in which some may have been missed. to_utc is NULL while the loss lasts. state is
    -- open, filled, empty (nothing was traded), unfillable, or covered (other boxes of the group missed nothing).
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', from_ms / 1000.0, 'unixepoch') AS from_utc,
        strftime('%Y-%m-%d %H:%M:%f', to_ms / 1000.0, 'unixepoch') AS to_utc,
        strftime('%Y-%m-%d %H:%M:%f', recorded_us / 1000000.0, 'unixepoch') AS recorded_utc,
        *
    FROM gaps;

CREATE VIEW drops_utc AS
    -- Events that were given up, by symbol and feed time, with the reason. symbol is * where it is not known.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', from_ms / 1000.0, 'unixepoch') AS from_utc,
        strftime('%Y-%m-%d %H:%M:%f', to_ms / 1000.0, 'unixepoch') AS to_utc,
        strftime('%Y-%m-%d %H:%M:%f', at_us / 1000000.0, 'unixepoch') AS at_utc,
        *
    FROM drops;

CREATE VIEW dead_letters_utc AS
    -- Rows that the database will never take, with its reason; row_json is the row.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch') AS refused_utc,
        *
    FROM dead_letters;
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
INSERT INTO reconciled VALUES('IBM','2013-10-08',390,389,0,1,391,1,2,0,0,1381280000000);
COMMIT;
PRAGMA application_id = 1163162673;
PRAGMA user_version = 8;
