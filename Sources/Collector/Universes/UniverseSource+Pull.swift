import Universe
public import Upstream

extension UniverseSource {
    /// Reads the groups for the mirror. Members are spelt as the feed spells them, and a remark says which were not.
    ///
    /// - Parameters:
    ///   - withLegacy: whether the legacy lists of stocks, which no mirror has, are read too.
    ///   - progress: receives the number of memberships read and the number of memberships.
    /// - Throws: any ``UpstreamError/Reason``; a table that can't be read is named.
    public func pull(
        withLegacy: Bool = false,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(UpstreamError) -> UniverseSnapshot {
        var snapshot = try await read(withLegacy: withLegacy, progress: progress)
        snapshot.remarks += snapshot.records.spellAsFeed()
        return snapshot
    }
}
