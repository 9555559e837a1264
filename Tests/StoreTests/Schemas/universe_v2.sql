-- universe.sqlite as schema version 2 made it; never changed, so that its way to the newest version stays tested.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO definition_groups VALUES(7,'nasdaq100','UNIVERSE','hundred','{"a":1}',NULL,'DEFAULT',1380000000000,1380000000001,NULL,'pulled');
INSERT INTO definition_groups VALUES(9,'mine','THEME',NULL,NULL,NULL,'TEST',1380000000000,1380000000001,1380000000002,'local');
CREATE TABLE group_memberships (
    group_id INTEGER NOT NULL REFERENCES definition_groups (id) ON DELETE CASCADE,
    symbol TEXT NOT NULL,
    weight REAL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, symbol)
) WITHOUT ROWID;
INSERT INTO group_memberships VALUES(7,'AAPL',11.499999999999999999,NULL,1380000000000);
INSERT INTO group_memberships VALUES(7,'MSFT',NULL,'{}',1380000000000);
INSERT INTO group_memberships VALUES(9,'IBM',1.0,NULL,1380000000000);
CREATE TABLE cache_entries (
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    environment TEXT NOT NULL DEFAULT 'DEFAULT',
    updated_at INTEGER,
    PRIMARY KEY (type, name, key, environment)
) WITHOUT ROWID;
INSERT INTO cache_entries VALUES('app_settings','ui','theme','{"dark":true}','DEFAULT',1380000000000);
CREATE TABLE mirror_info (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    pulled_at INTEGER NOT NULL,
    -- Of everything pulled; empty when a local change has replaced a part of it.
    checksum TEXT NOT NULL,
    group_rows INTEGER NOT NULL,
    membership_rows INTEGER NOT NULL,
    entry_rows INTEGER NOT NULL
);
INSERT INTO mirror_info VALUES(1,'db',1380000000000,'abc',1,2,1);
CREATE TABLE group_imports (
    group_id INTEGER PRIMARY KEY REFERENCES definition_groups (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    format TEXT NOT NULL,
    -- Of the file's content.
    checksum TEXT NOT NULL,
    imported_at INTEGER NOT NULL
);
INSERT INTO group_imports VALUES(9,'mine.csv','csv','def',1380000000000);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('definition_groups',9);
CREATE INDEX group_memberships_symbol ON group_memberships (symbol);
COMMIT;
PRAGMA application_id = 1163162929;
PRAGMA user_version = 2;
