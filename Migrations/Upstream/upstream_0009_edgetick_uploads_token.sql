-- Which transaction set last_sequence, and which identifier took over what was left: see docs/design/ledger.md.
alter table edgetick_uploads
    add column if not exists token uuid,
    add column if not exists successor uuid;
