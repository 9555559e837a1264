-- Which symbols belong to a group.
create table group_memberships (
    group_id bigint not null references definition_groups (id) on delete cascade,
    symbol text not null,
    weight numeric,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (group_id, symbol)
);

create index group_memberships_symbol on group_memberships (symbol);
