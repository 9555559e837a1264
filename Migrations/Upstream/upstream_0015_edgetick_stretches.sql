-- What each box of a COLLECTOR_GROUP has whole: of which span of the events' own time all events of a kind are upstream.
-- Where it covers a gap of another box, that gap is told as covered.
create table edgetick_stretches (
    collector text not null,
    kind text not null,
    since timestamptz not null,
    through timestamptz not null,
    symbols text[],
    "group" text not null,
    primary key (collector, kind, since)
);

comment on column edgetick_stretches.kind is 'AM, A, T, Q, LULD, NOI or FMV';
comment on column edgetick_stretches.symbols is 'NULL for all';
