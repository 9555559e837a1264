-- Quotes as the feed sends them. They have no key of their own: the ledger keeps them from being stored twice.
create table quotes (
    symbol text not null,
    time timestamptz not null,
    bid numeric,
    bid_size numeric,
    bid_exchange integer,
    ask numeric,
    ask_size numeric,
    ask_exchange integer,
    condition integer,
    indicators text,
    tape integer,
    sequence bigint,
    received_at timestamptz,
    collector text,
    connection text
);

create index quotes_symbol_time on quotes (symbol, time);

comment on column quotes.indicators is 'a JSON array of numbers, as sent';

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
        using 'quotes', 'time', '1 day';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on quotes using brin (time) with (autosummarize = on);
    end if;
end
$$;
