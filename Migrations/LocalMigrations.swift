/// The schemas of the two local SQLite files, oldest step first.
public enum LocalMigrations {
    /// `ticks.sqlite`: the buffer.
    public static let ticks = [
        Migration(1, PackageResources.ticks_0001_sql),
        Migration(2, PackageResources.ticks_0002_sql),
        Migration(3, PackageResources.ticks_0003_sql),
        Migration(4, PackageResources.ticks_0004_sql),
        Migration(5, PackageResources.ticks_0005_sql),
        Migration(6, PackageResources.ticks_0006_sql),
        Migration(7, PackageResources.ticks_0007_sql),
        Migration(8, PackageResources.ticks_0008_sql),
        Migration(9, PackageResources.ticks_0009_sql),
        Migration(10, PackageResources.ticks_0010_sql),
        Migration(11, PackageResources.ticks_0011_sql),
    ]

    /// `universe.sqlite`: the mirror of groups and memberships.
    public static let universe = [
        Migration(1, PackageResources.universe_0001_sql),
        Migration(2, PackageResources.universe_0002_sql),
    ]
}
