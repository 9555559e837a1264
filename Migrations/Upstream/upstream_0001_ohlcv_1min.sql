-- Minute bars, one row a symbol and window. The first seven columns are what other tools expect; prices are exact decimals.
create table ohlcv_1min (
    symbol text not null,
    "timestamp" timestamptz not null,
    open numeric not null,
    high numeric not null,
    low numeric not null,
    close numeric not null,
    volume bigint not null,
    decimal_volume numeric,
    vwap numeric,
    day_volume numeric,
    day_open numeric,
    day_vwap numeric,
    average_size numeric,
    otc boolean,
    start_ms bigint,
    end_ms bigint,
    received_at timestamptz,
    collector text,
    connection text,
    source text,
    primary key (symbol, "timestamp")
);

comment on column ohlcv_1min.volume is 'shares traded, rounded; decimal_volume is exact';
comment on column ohlcv_1min."timestamp" is 'start of the window, or its end with BAR_TIMESTAMP=end; see start_ms, end_ms';

do $$
declare
    extension_schema name := (
        select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'timescaledb');
begin
    if extension_schema is not null then
        execute format(
            'select %I.create_hypertable($1::regclass, $2::name, chunk_time_interval => $3::interval, if_not_exists => true)',
            extension_schema)
        using 'ohlcv_1min', 'timestamp', '7 days';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on ohlcv_1min using brin ("timestamp") with (autosummarize = on);
    end if;
end
$$;
