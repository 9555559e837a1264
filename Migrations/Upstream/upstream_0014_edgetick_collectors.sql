-- The fleet: a row for each box, written by the box itself. Nothing of the upload depends on it.
create table edgetick_collectors (
    id text primary key,
    "group" text,
    host text not null,
    version text not null,
    started timestamptz not null,
    seen timestamptz not null,
    state text not null,
    reason text,
    symbols integer not null,
    events_per_second double precision not null,
    rows_pending bigint not null,
    oldest_pending_seconds double precision not null,
    last_event timestamptz,
    gaps_open bigint not null,
    events_dropped bigint not null,
    dead_letters bigint not null,
    disk_free_bytes bigint,
    file_id uuid not null,
    clock_offset_ms bigint,
    pushed_out boolean not null,
    shares_with text[],
    backend integer
);

comment on column edgetick_collectors.seen is 'by this server''s clock';
comment on column edgetick_collectors.state is 'starting, ok, degraded, failing or stopped';
comment on column edgetick_collectors.clock_offset_ms is 'how far the box''s clock is ahead of this server''s';
comment on column edgetick_collectors.pushed_out is 'whether another client took the feed''s connection';
comment on column edgetick_collectors.shares_with is 'with SHARD=auto: the boxes, itself included, among which it has taken its share';
comment on column edgetick_collectors.backend is 'the server''s process for the box''s connection; null behind a pooler';
