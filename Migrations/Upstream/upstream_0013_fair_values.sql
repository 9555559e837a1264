-- Fair Market Values as the feed sends them. The ledger keeps rows from being stored twice.
create table fair_values (
    symbol text not null,
    time timestamptz not null,
    time_ns bigint,
    fair_value numeric not null,
    received_at timestamptz,
    collector text,
    connection text
);

create index fair_values_symbol_time on fair_values (symbol, time);

comment on column fair_values.time_ns is 'nanoseconds since the Unix epoch, where the feed sent those';
comment on column fair_values.fair_value is 'the provider''s own estimate';

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
        using 'fair_values', 'time', '1 day';
    else
        -- Finds a day's rows, as a hypertable's chunks do, and costs hardly any space or time.
        create index on fair_values using brin (time) with (autosummarize = on);
    end if;
end
$$;
