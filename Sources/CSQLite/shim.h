// sqlite3_db_config is variadic, so Swift can't call it. SQLite's own header belongs to GRDB's module.
struct sqlite3;
int sqlite3_db_config(struct sqlite3 *, int operation, ...);

// SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
static inline int edgetick_sqlite3_leave_log(void *database) {
    return sqlite3_db_config((struct sqlite3 *)database, 1006, 1, (int *)0);
}
