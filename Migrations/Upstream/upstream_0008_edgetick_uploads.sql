-- The ledger: how far each stream of each buffer file has come. Written in the transaction that stores the rows.
create table edgetick_uploads (
    buffer_id uuid not null,
    collector text not null,
    stream text not null,
    last_sequence bigint not null,
    rows bigint not null,
    updated_at timestamptz not null,
    primary key (buffer_id, stream)
);
