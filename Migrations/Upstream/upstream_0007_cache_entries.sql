-- Settings and lists that are not groups of symbols: app_settings, themes, cache_config.
create table cache_entries (
    type text not null,
    name text not null,
    key text not null,
    value jsonb,
    environment text not null default 'DEFAULT' check (environment in ('DEFAULT', 'TEST', 'UAT', 'PROD')),
    updated_at timestamptz not null default now(),
    primary key (type, name, key, environment)
);
