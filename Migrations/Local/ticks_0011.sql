-- Uploaded rows that are gone from the database, about which a person has to decide, also after a restart.
ALTER TABLE streams ADD COLUMN gone_through INTEGER NOT NULL DEFAULT 0;

-- As in the step before, so that the column's comment is kept too.
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = 'CREATE TABLE streams (
    -- How far each stream is uploaded. Its next number is one more than the greatest of acknowledged, deleted_through and
    -- its table''s seq, so it never starts again when the table runs empty.
    stream TEXT NOT NULL PRIMARY KEY, -- the name of the table
    acknowledged INTEGER NOT NULL DEFAULT 0, -- rows through this number are in the database, or refused by it
    deleted_through INTEGER NOT NULL DEFAULT 0, -- rows through this number are no longer here
    sent_again_through INTEGER NOT NULL DEFAULT 0, -- rows through this number may be in the database although they wait
    gone_through INTEGER NOT NULL DEFAULT 0 -- uploaded rows through this number are gone from the database; 0 for none
) WITHOUT ROWID'
WHERE type = 'table' AND name = 'streams' AND (SELECT count(*) FROM pragma_table_info('streams')) = 5;
PRAGMA writable_schema = RESET;
