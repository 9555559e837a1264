-- Net Order Imbalances as the feed sends them. The ledger keeps rows from being stored twice.
create table imbalances (
    symbol text not null,
    time timestamptz not null,
    time_ns bigint,
    auction_time integer,
    auction_type text,
    sequence bigint,
    exchange integer,
    imbalance numeric,
    paired numeric,
    clearing_price numeric,
    received_at timestamptz,
    collector text,
    connection text
);

create index imbalances_symbol_time on imbalances (symbol, time);

comment on column imbalances.time_ns is 'nanoseconds since the Unix epoch, where the feed sent those';
comment on column imbalances.auction_time is 'when the auction is planned, as hours and minutes in New York: 1600';

do $$
declare
    extension_schema name := (
        select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'timescaledb');
begin
    if extension_schema is not null then
        execute format(
            'select %I.create_hypertable($1::regclass, $2::name, chunk_time_interval => $3::interval, '
                'create_default_indexes => false, if_not_exists => true)',
            extension_schema)
        using 'imbalances', 'time', '7 days';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on imbalances using brin (time) with (autosummarize = on);
    end if;
end
$$;
