-- When the exchange made a trade or quote: the feed's pt.
ALTER TABLE trades ADD COLUMN participant_time_ms INTEGER;
ALTER TABLE quotes ADD COLUMN participant_time_ms INTEGER;

-- SQLite keeps the comments inside CREATE statements alone, and a table's statement is replaced here by the same with
-- comments: the rows stay where they are (sqlite.org/lang_altertable.html, section 7). A table to which somebody has added
-- columns keeps its statement.
PRAGMA writable_schema = ON;
WITH described (name, columns, sql) AS (VALUES
('buffer', 5, 'CREATE TABLE buffer (
    -- One row: which file this is, and how its collector is.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    id TEXT NOT NULL, -- a UUID, another one at every opening; the database knows by it what it has of the file
    collector TEXT NOT NULL, -- COLLECTOR_ID
    created_us INTEGER NOT NULL, -- when the file was made
    notes_seq INTEGER NOT NULL DEFAULT 0, -- how many transactions wrote gaps, drops or dead letters
    alive_us INTEGER -- when a collector was last alive, to the half minute
)'),
('streams', 3, 'CREATE TABLE streams (
    -- How far each stream is uploaded. Its next number is one more than the greatest of both columns and of its
    -- table''s seq, so it never starts again when the table runs empty.
    stream TEXT NOT NULL PRIMARY KEY, -- the name of the table
    acknowledged INTEGER NOT NULL DEFAULT 0, -- rows through this number are in the database, or refused by it
    deleted_through INTEGER NOT NULL DEFAULT 0 -- rows through this number are no longer here
) WITHOUT ROWID'),
('bars', 19, 'CREATE TABLE bars (
    -- Minute and second bars. A bar is sent again when late trades arrive: its newest version has the greatest seq.
    -- bars_latest has those alone, and bars_utc readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    interval_s INTEGER NOT NULL, -- the bar''s length: 60 (AM) or 1 (A)
    symbol TEXT NOT NULL, -- the ticker
    start_ms INTEGER NOT NULL, -- the window''s start
    end_ms INTEGER NOT NULL, -- the window''s end
    open REAL, -- first price in the window
    high REAL, -- highest price in the window
    low REAL, -- lowest price in the window
    close REAL, -- last price in the window
    volume REAL, -- shares traded in the window; upstream rounded, and exact in decimal_volume
    vwap REAL, -- volume-weighted average price of the window
    day_volume REAL, -- shares traded today
    day_open REAL, -- today''s official opening price
    day_vwap REAL, -- today''s volume-weighted average price
    average_size REAL, -- average trade size in the window, in shares
    otc INTEGER, -- whether the ticker trades over the counter
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL, -- the connection that brought it; backfill or reconcile where none did
    source TEXT NOT NULL -- stream; backfill: fetched for a gap; reconcile: the tape, for a day or a correction that a gap missed
)'),
('trades', 15, 'CREATE TABLE trades (
    -- Trades, as they came. trades_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    symbol TEXT NOT NULL, -- the ticker
    time_ms INTEGER NOT NULL, -- when the trade happened
    price REAL, -- the price
    size REAL, -- shares traded
    exchange INTEGER, -- the exchange''s number
    tape INTEGER, -- 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ
    trade_id TEXT, -- the trade''s identifier on its exchange
    conditions TEXT, -- the sale conditions'' numbers, as a JSON array
    sequence INTEGER, -- the order of events of one ticker
    trf_id INTEGER, -- the trade reporting facility''s number
    trf_time_ms INTEGER, -- when the trade reporting facility received it
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL, -- the connection that brought it; backfill or reconcile where none did
    participant_time_ms INTEGER -- when the exchange or reporting facility made it
)'),
('quotes', 16, 'CREATE TABLE quotes (
    -- Quotes, as they came. quotes_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    symbol TEXT NOT NULL, -- the ticker
    time_ms INTEGER NOT NULL, -- when the quote was made
    bid REAL, -- the bid price
    bid_size REAL, -- shares bid for
    bid_exchange INTEGER, -- the bid exchange''s number
    ask REAL, -- the ask price
    ask_size REAL, -- shares offered
    ask_exchange INTEGER, -- the ask exchange''s number
    condition INTEGER, -- the quote condition''s number
    indicators TEXT, -- the indicators'' numbers, as a JSON array
    tape INTEGER, -- 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ
    sequence INTEGER, -- the order of events of one ticker
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL, -- the connection that brought it; backfill or reconcile where none did
    participant_time_ms INTEGER -- when the exchange made it
)'),
('luld', 11, 'CREATE TABLE luld (
    -- Limit Up-Limit Down: price bands, halts and their ends. luld_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds, _ns nanoseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    symbol TEXT NOT NULL, -- the ticker
    time_ms INTEGER NOT NULL, -- when it was so
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    high_band REAL, -- the upper price band
    low_band REAL, -- the lower price band
    indicators TEXT, -- the indicators'' numbers, as a JSON array; 17 is a halt, 18 its end
    tape INTEGER, -- 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ
    sequence INTEGER, -- the order of events of one ticker
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL -- the connection that brought it; backfill or reconcile where none did
)'),
('imbalances', 13, 'CREATE TABLE imbalances (
    -- Net Order Imbalance: orders of an auction that find no counterpart. imbalances_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds, _ns nanoseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    symbol TEXT NOT NULL, -- the ticker
    time_ms INTEGER NOT NULL, -- when it was so
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    auction_time INTEGER, -- when the auction is planned, as hours and minutes in New York: 1600
    auction_type TEXT, -- the kind of auction: O early opening, M core opening, H reopening, C closing, P and R closing imbalances
    sequence INTEGER, -- the order of events of one ticker
    exchange INTEGER, -- the exchange''s number
    imbalance REAL, -- shares without a counterpart
    paired REAL, -- shares with a counterpart
    clearing_price REAL, -- the price at which the book would clear
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL -- the connection that brought it; backfill or reconcile where none did
)'),
('fair_values', 7, 'CREATE TABLE fair_values (
    -- Fair Market Value: the provider''s own estimate. fair_values_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds, _ns nanoseconds since the Unix epoch.
    seq INTEGER PRIMARY KEY, -- the row''s number in its stream; grows, never starts again
    symbol TEXT NOT NULL, -- the ticker
    time_ms INTEGER NOT NULL, -- when it was so
    time_ns INTEGER, -- the same in nanoseconds, where the feed sent those
    fair_value REAL, -- the provider''s estimate
    received_us INTEGER NOT NULL, -- when it was read from the socket
    connection TEXT NOT NULL -- the connection that brought it; backfill or reconcile where none did
)'),
('gaps', 12, 'CREATE TABLE gaps (
    -- Spans of the events'' own time in which events may have been missed. A row is written when the loss begins and
    -- completed when it ends, so that a kill doesn''t make it forgotten. gaps_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    id INTEGER PRIMARY KEY, -- the gap''s number
    connection TEXT NOT NULL, -- the connection that missed them
    symbols TEXT NOT NULL, -- a comma list, or * for all
    events TEXT NOT NULL, -- a comma list of AM, A, T, Q, LULD, NOI, FMV
    from_ms INTEGER NOT NULL, -- the newest event before the loss
    to_ms INTEGER, -- when the loss ended; NULL while it lasts
    cause TEXT NOT NULL, -- disconnected, stalled, overflow, down, unsubscribed, damaged, paused or shard moved
    recorded_us INTEGER NOT NULL, -- when the row was written
    state TEXT NOT NULL DEFAULT ''open'', -- what became of it: open, filled, partial, empty, unfillable or covered
    detail TEXT, -- the same in words
    settled_us INTEGER, -- when that was found
    uncertain INTEGER NOT NULL DEFAULT 0 -- 1: the clock was wrong meanwhile, and the ends may be off
)'),
('gap_fills', 5, 'CREATE TABLE gap_fills (
    -- The symbols and kinds of a gap that the REST API was asked for already.
    gap INTEGER NOT NULL, -- the id in gaps
    symbol TEXT NOT NULL, -- the ticker
    event TEXT NOT NULL, -- the kind: AM, A, T or Q
    rows INTEGER NOT NULL, -- how many rows that brought
    at_us INTEGER NOT NULL, -- when it was last asked
    PRIMARY KEY (gap, symbol, event)
) WITHOUT ROWID'),
('drops', 10, 'CREATE TABLE drops (
    -- Events that were given up, a row for each symbol and reason of an episode. drops_utc has readable times.
    -- Times are in UTC: _ms milliseconds, _us microseconds since the Unix epoch.
    episode INTEGER NOT NULL, -- when the first of them was given up, in microseconds
    stream TEXT NOT NULL, -- the table that they belong to
    symbol TEXT NOT NULL, -- the ticker, or * where it is not known
    reason TEXT NOT NULL, -- oldest_dropped, new_rejected, queue_full, file_set_aside, vanished, unreadable, …
    from_ms INTEGER, -- the first event''s own time
    to_ms INTEGER, -- the last event''s own time
    first_seq INTEGER, -- the first row''s number; NULL where events never had one
    last_seq INTEGER, -- the last row''s number
    count INTEGER NOT NULL, -- how many
    at_us INTEGER NOT NULL, -- when the last of them was given up
    PRIMARY KEY (episode, stream, symbol, reason)
) WITHOUT ROWID'),
('dead_letters', 6, 'CREATE TABLE dead_letters (
    -- Rows that the database will never take. dead_letters_utc has readable times.
    stream TEXT NOT NULL, -- the table that the row is in
    seq INTEGER NOT NULL, -- its number there
    sql_state TEXT NOT NULL, -- the database''s code for the refusal (SQLSTATE)
    reason TEXT NOT NULL, -- what the database said
    row_json TEXT NOT NULL, -- the row
    at_ms INTEGER NOT NULL, -- when it was refused
    PRIMARY KEY (stream, seq)
)'),
('incidents', 4, 'CREATE TABLE incidents (
    -- What happened to the file itself, such as a damaged one that was set aside.
    id INTEGER PRIMARY KEY, -- the row''s number
    at_us INTEGER NOT NULL, -- when
    what TEXT NOT NULL, -- in a word or two
    detail TEXT NOT NULL -- in a sentence
)'),
('predecessors', 4, 'CREATE TABLE predecessors (
    -- The identifiers that this file had, and the damaged files that it was made from: the database may know rows by
    -- them.
    id TEXT NOT NULL, -- the identifier, as buffer has the present one
    stream TEXT NOT NULL, -- the table
    through INTEGER NOT NULL, -- rows through this number may have been uploaded under it
    place INTEGER NOT NULL DEFAULT 0, -- its place among them, the oldest first
    PRIMARY KEY (id, stream)
) WITHOUT ROWID'),
('moves', 5, 'CREATE TABLE moves (
    -- The upload''s transactions, each written down before its COMMIT. Those before the newest settled one are deleted.
    number INTEGER PRIMARY KEY, -- their order
    id TEXT NOT NULL, -- the file''s identifier then
    stream TEXT NOT NULL, -- the table
    token TEXT NOT NULL UNIQUE, -- the ledger in the database has it if the transaction was committed
    through INTEGER NOT NULL -- the last row''s number
)'),
('reconciled', 12, 'CREATE TABLE reconciled (
    -- Days of a symbol whose minute bars were compared with the tape, the REST aggregates or the provider''s flat file: what
    -- the last comparison found. A day that has no row here was never checked.
    symbol TEXT NOT NULL, -- the ticker
    day TEXT NOT NULL, -- the New York date, such as 2026-11-24
    regular INTEGER NOT NULL, -- minutes of the regular session: 390, or 210 on a half day
    present INTEGER NOT NULL, -- of these, minutes with a bar as the tape has it
    halted INTEGER NOT NULL, -- of these, minutes without a bar in a trading halt
    untraded INTEGER NOT NULL, -- of these, minutes without a bar that no halt explains: the tape has none either
    tape INTEGER NOT NULL, -- bars of the tape, those outside the regular session too
    added INTEGER NOT NULL, -- bars of the tape that were missing, and are here since
    corrected INTEGER NOT NULL, -- bars that were different from the tape''s, and are as there since
    extra INTEGER NOT NULL, -- bars that the tape lacks; they stay
    missing INTEGER NOT NULL, -- bars of the tape that are still missing or different; 0: the day is complete
    at_ms INTEGER NOT NULL, -- when it was found
    PRIMARY KEY (symbol, day)
) WITHOUT ROWID')
)
UPDATE sqlite_master SET sql = described.sql FROM described
WHERE sqlite_master.type = 'table' AND sqlite_master.name = described.name
    AND described.columns = (SELECT count(*) FROM pragma_table_info(described.name));
PRAGMA writable_schema = RESET;

DROP VIEW gaps_utc;
CREATE VIEW gaps_utc AS
    -- Spans of the events' own time in which some may have been missed. to_utc is NULL while the loss lasts.
    SELECT
        strftime('%Y-%m-%d %H:%M:%f', from_ms / 1000.0, 'unixepoch') AS from_utc,
        strftime('%Y-%m-%d %H:%M:%f', to_ms / 1000.0, 'unixepoch') AS to_utc,
        strftime('%Y-%m-%d %H:%M:%f', recorded_us / 1000000.0, 'unixepoch') AS recorded_utc,
        *
    FROM gaps;
