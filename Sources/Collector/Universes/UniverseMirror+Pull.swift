public import MarketData
public import Store
public import Upstream

extension UniverseMirror {
    /// How often what changes meanwhile may make a pull read the database again.
    private static let tries = 3

    /// Reads the database and makes the pulled part of the mirror equal to it.
    ///
    /// If the mirror is changed meanwhile, what was read may be older than that change, such as a group that `edgetick
    /// universe push --hand-over` has just given to the database; then the database is read again.
    ///
    /// - Parameters:
    ///   - force: Whether the mirror may be emptied or more than halved, and is compared row by row.
    ///   - givenBack: Local groups that become the database's with this pull.
    /// - Throws: what `read` throws; the errors of ``replacePulled(with:source:force:givingBack:unlessChangedSince:)``;
    ///   `.changing` if the mirror never rests.
    public func pull(
        force: Bool = false, givingBack givenBack: [GroupRecord.Identity] = [],
        _ read: @Sendable () async throws -> UniverseSnapshot
    ) async throws -> (snapshot: UniverseSnapshot, outcome: PullOutcome) {
        for _ in 0..<Self.tries {
            // One that can't be read may be damaged, and is then replaced by a fresh one.
            let mark = try? changeCounter()
            let snapshot = try await read()
            let outcome = try replacePulled(
                with: snapshot.records, source: snapshot.source, force: force, givingBack: givenBack,
                unlessChangedSince: mark)
            if outcome != .outdated { return (snapshot, outcome) }
        }
        throw StoreError(
            .changing, operation: "write a pull to", path: path,
            underlying: "\(Self.tries) times while the database was read")
    }
}
