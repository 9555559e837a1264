// The limit of appending: prepared inserts from C into a table of the same columns, with the same settings.
// usage: append DATABASE ROWS ROWS_A_TRANSACTION     prints rows a second, every transaction synced
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void run(sqlite3 *database, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(74);
    }
}

int main(int count, char **arguments) {
    if (count != 4) return 64;
    const long rows = atol(arguments[2]), each = atol(arguments[3]);
    static const char *const symbols[] = {"SPY", "AAPL", "BAC", "AIG", "GOOGL", "BRK.B", "MSFT", "XOM"};
    sqlite3 *database;
    if (sqlite3_open(arguments[1], &database) != SQLITE_OK) return 74;
    run(database, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;"
                  "PRAGMA cache_size = -2048; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;");
    run(database, "CREATE TABLE bars (seq INTEGER PRIMARY KEY, interval_s INTEGER NOT NULL, symbol TEXT NOT NULL,"
                  "start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, open REAL, high REAL, low REAL, close REAL,"
                  "volume REAL, vwap REAL, day_volume REAL, day_open REAL, day_vwap REAL, average_size REAL,"
                  "otc INTEGER, received_us INTEGER NOT NULL, connection TEXT NOT NULL, source TEXT NOT NULL)");
    sqlite3_stmt *insert;
    if (sqlite3_prepare_v3(
            database, "INSERT INTO bars VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
            SQLITE_PREPARE_PERSISTENT, &insert, NULL) != SQLITE_OK)
        return 74;
    const double start = now();
    for (long row = 0; row < rows;) {
        run(database, "BEGIN IMMEDIATE");
        for (long end = row + each; row < end; row++) {
            const double price = 100 + (row % 977) * 0.01;
            int at = 0;
            sqlite3_bind_int64(insert, ++at, row + 1);
            sqlite3_bind_int64(insert, ++at, 60);
            sqlite3_bind_text(insert, ++at, symbols[row % 8], -1, SQLITE_STATIC);
            sqlite3_bind_int64(insert, ++at, 1381239000000 + row / 8 * 60000);
            sqlite3_bind_int64(insert, ++at, 1381239060000 + row / 8 * 60000);
            sqlite3_bind_double(insert, ++at, price);
            sqlite3_bind_double(insert, ++at, price + 0.05);
            sqlite3_bind_double(insert, ++at, price - 0.05);
            sqlite3_bind_double(insert, ++at, price + 0.01);
            sqlite3_bind_double(insert, ++at, 1200 + row % 5000);
            sqlite3_bind_double(insert, ++at, price + 0.0037);
            sqlite3_bind_double(insert, ++at, 120000 + row);
            sqlite3_bind_double(insert, ++at, 99.5);
            sqlite3_bind_double(insert, ++at, price - 0.0021);
            sqlite3_bind_double(insert, ++at, 180);
            sqlite3_bind_null(insert, ++at);
            sqlite3_bind_int64(insert, ++at, 1381239060000000 + row);
            sqlite3_bind_text(insert, ++at, "primary", -1, SQLITE_STATIC);
            sqlite3_bind_text(insert, ++at, "stream", -1, SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE) return 74;
            sqlite3_reset(insert);
        }
        run(database, "COMMIT");
    }
    printf("%.0f\n", rows / (now() - start));
    sqlite3_finalize(insert);
    sqlite3_close(database);
}
