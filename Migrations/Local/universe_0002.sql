-- What a pull brought is noted once for the whole file, since all environments come in one snapshot.
DROP TABLE mirror_info;
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

-- Which file, or legacy row, a local group was last made from.
CREATE TABLE group_imports (
    group_id INTEGER PRIMARY KEY REFERENCES definition_groups (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    format TEXT NOT NULL,
    -- Of the file's content.
    checksum TEXT NOT NULL,
    imported_at INTEGER NOT NULL
);
