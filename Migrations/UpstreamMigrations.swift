/// A step of the upstream schema: makes one table and what belongs to it, or adds columns to one that an earlier step made.
public struct UpstreamMigration: Sendable {
    /// The step.
    public let migration: Migration
    /// The table that the step makes, or adds columns to.
    public let table: String
    /// The columns that the step adds to a table of ours.
    public var columns: [String] = []
}

/// The upstream schema, step by step.
public enum UpstreamMigrations {
    /// All steps, in order.
    public static let all: [UpstreamMigration] = [
        UpstreamMigration(
            migration: Migration(1, PackageResources.upstream_0001_ohlcv_1min_sql), table: "ohlcv_1min"),
        UpstreamMigration(
            migration: Migration(2, PackageResources.upstream_0002_ohlcv_1sec_sql), table: "ohlcv_1sec"),
        UpstreamMigration(migration: Migration(3, PackageResources.upstream_0003_trades_sql), table: "trades"),
        UpstreamMigration(migration: Migration(4, PackageResources.upstream_0004_quotes_sql), table: "quotes"),
        UpstreamMigration(
            migration: Migration(5, PackageResources.upstream_0005_definition_groups_sql), table: "definition_groups"),
        UpstreamMigration(
            migration: Migration(6, PackageResources.upstream_0006_group_memberships_sql), table: "group_memberships"),
        UpstreamMigration(
            migration: Migration(7, PackageResources.upstream_0007_cache_entries_sql), table: "cache_entries"),
        UpstreamMigration(
            migration: Migration(8, PackageResources.upstream_0008_edgetick_uploads_sql), table: "edgetick_uploads"),
        UpstreamMigration(
            migration: Migration(9, PackageResources.upstream_0009_edgetick_uploads_token_sql),
            table: "edgetick_uploads", columns: ["token", "successor"]),
        UpstreamMigration(migration: Migration(10, PackageResources.upstream_0010_luld_sql), table: "luld"),
        UpstreamMigration(
            migration: Migration(12, PackageResources.upstream_0012_imbalances_sql), table: "imbalances"),
        UpstreamMigration(
            migration: Migration(13, PackageResources.upstream_0013_fair_values_sql), table: "fair_values"),
        UpstreamMigration(
            migration: Migration(14, PackageResources.upstream_0014_edgetick_collectors_sql),
            table: "edgetick_collectors"),
        UpstreamMigration(
            migration: Migration(15, PackageResources.upstream_0015_edgetick_stretches_sql),
            table: "edgetick_stretches"),
        UpstreamMigration(
            migration: Migration(16, PackageResources.upstream_0016_trades_participant_time_sql),
            table: "trades", columns: ["participant_time"]),
        UpstreamMigration(
            migration: Migration(17, PackageResources.upstream_0017_quotes_participant_time_sql),
            table: "quotes", columns: ["participant_time"]),
        UpstreamMigration(
            migration: Migration(18, PackageResources.upstream_0018_edgetick_uploads_lost_sql),
            table: "edgetick_uploads", columns: ["lost_from", "lost_through"]),
    ]
}
