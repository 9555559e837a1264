import GRDBSQLite

/// The SQLite library that this program runs with.
public enum SQLiteLibrary {
    /// Its version, such as `3.40.1`.
    public static var version: String { String(cString: sqlite3_libversion()) }

    /// Whether it has the WAL-reset bug (3.7.0 to 3.51.2): two connections that write or checkpoint one file at the same
    /// instant can damage it. EdgeTick never does that; other programs that write to its files could.
    public static var hasWALResetBug: Bool { (3_007_000...3_051_002).contains(sqlite3_libversion_number()) }
}
