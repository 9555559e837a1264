-- Which of its rows the buffer file counts as lost: the database had confirmed them, and came back without. A backup of
-- the file from before learns it from here. Only by the table's owner: elsewhere it is not sent.
do $$
begin
    if exists (
        select from pg_class c where c.oid = to_regclass('edgetick_uploads') and pg_has_role(c.relowner, 'USAGE')) then
        alter table edgetick_uploads
            add column if not exists lost_from bigint,
            add column if not exists lost_through bigint;
    end if;
end
$$;
