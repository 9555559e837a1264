-- Trades as the feed sends them. They have no key of their own: the ledger keeps them from being stored twice.
create table trades (
    symbol text not null,
    time timestamptz not null,
    price numeric not null,
    size numeric not null,
    exchange integer,
    tape integer,
    trade_id text,
    conditions text,
    sequence bigint,
    trf_id integer,
    trf_time timestamptz,
    received_at timestamptz,
    collector text,
    connection text
);

create index trades_symbol_time on trades (symbol, time);

comment on column trades.conditions is 'a JSON array of numbers, as sent';

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
        using 'trades', 'time', '1 day';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on trades using brin (time) with (autosummarize = on);
    end if;
end
$$;
