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
