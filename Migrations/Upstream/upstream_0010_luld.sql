-- Limit Up-Limit Down as the feed sends it: price bands, halts and their ends. The ledger keeps rows from being stored twice.
create table luld (
    symbol text not null,
    time timestamptz not null,
    time_ns bigint,
    high_band numeric,
    low_band numeric,
    indicators text,
    tape integer,
    sequence bigint,
    received_at timestamptz,
    collector text,
    connection text
);

create index luld_symbol_time on luld (symbol, time);

comment on column luld.time_ns is 'nanoseconds since the Unix epoch, where the feed sent those';
comment on column luld.indicators is 'a JSON array of numbers, as sent; 17 is a halt, 18 its end';

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
        using 'luld', 'time', '1 day';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on luld using brin (time) with (autosummarize = on);
    end if;
end
$$;
