-- The mirror of the upstream groups and memberships. Times are milliseconds since the Unix epoch.

CREATE TABLE definition_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT,
    metadata TEXT,
    liquidity_filter TEXT,
    environment TEXT NOT NULL DEFAULT 'DEFAULT',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_update INTEGER,
    -- 'pulled' groups are replaced by the next pull, 'local' ones are left alone.
    origin TEXT NOT NULL CHECK (origin IN ('pulled', 'local')),
    UNIQUE (name, type, environment)
);

-- weight: the share of the group in percent, where the source gives one.
CREATE TABLE group_memberships (
    group_id INTEGER NOT NULL REFERENCES definition_groups (id) ON DELETE CASCADE,
    symbol TEXT NOT NULL,
    weight REAL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, symbol)
) WITHOUT ROWID;
CREATE INDEX group_memberships_symbol ON group_memberships (symbol);

-- What is not a stock universe: app_settings, themes, cache_config.
CREATE TABLE cache_entries (
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    environment TEXT NOT NULL DEFAULT 'DEFAULT',
    updated_at INTEGER,
    PRIMARY KEY (type, name, key, environment)
) WITHOUT ROWID;

-- Where an environment's pulled groups came from.
CREATE TABLE mirror_info (
    environment TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    pulled_at INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    group_rows INTEGER NOT NULL,
    membership_rows INTEGER NOT NULL
) WITHOUT ROWID;
