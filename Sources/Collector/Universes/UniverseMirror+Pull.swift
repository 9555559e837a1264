public import Logging
public import MarketData
public import Store
import Universe
public import Upstream

extension UniverseMirror {
    /// How often a pull reads the database, if the mirror is changed meanwhile each time.
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
    ///   `.changing` if the mirror was changed during every try.
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

    /// How long the pull before the start may take, since the start waits for it.
    private static let patience: Duration = .seconds(10)

    /// Pulls from the database before the first connection, for a start that would otherwise have nothing to collect.
    ///
    /// - Returns: Why the mirror could not be updated, in one line, and the underlying error, if the pull was neither too
    ///   slow nor refused; `nil` when the mirror was updated.
    public func firstPull(
        from source: UniverseSource, logger: Logger
    ) async -> (description: String, cause: (any Error)?)? {
        let end = ContinuousClock.now + Self.patience
        do {
            let (_, outcome) = try await pull {
                let reading = Task { try await source.pull() }
                return try await reading.value(within: max(.zero, end - .now))
            }
            if case .refused(let text) = outcome { return (text, nil) }
            if case .replaced(let changes) = outcome, let warning = changes.warning { logger.error("\(warning)") }
            return nil
        } catch let error as UpstreamError where error.reason == .cancelled {
            return ("the database did not answer within \(Self.patience.spoken)", nil)
        } catch {
            return (String(describing: error), error)
        }
    }
}

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
