-- When the exchange made it, as the feed and the REST API say. Only in a table that the step before made, which a comment of
-- it shows, and only by its owner: elsewhere the values are not sent.
do $$
begin
    if exists (
        select from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.oid = to_regclass('quotes') and a.attname = 'indicators'
            and col_description(c.oid, a.attnum) = 'a JSON array of numbers, as sent'
            and pg_has_role(c.relowner, 'USAGE')) then
        alter table quotes add column if not exists participant_time timestamptz;
        comment on column quotes.participant_time is 'when the exchange made it';
    end if;
end
$$;
