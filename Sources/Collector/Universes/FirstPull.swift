public import Logging
public import Store
public import Upstream

/// One pull before the first connection, for a start that would otherwise have nothing to collect.
public struct FirstPull: Sendable {
    /// How long the pull may take, since the start waits for it.
    public static let limit: Duration = .seconds(10)

    private let mirror: UniverseMirror
    private let source: UniverseSource
    private let logger: Logger

    /// A pull from the database into the mirror.
    public init(into mirror: UniverseMirror, from source: UniverseSource, logger: Logger) {
        self.mirror = mirror
        self.source = source
        self.logger = logger
    }

    /// Runs the pull.
    ///
    /// - Returns: Why the mirror could not be updated; `nil` when it was.
    public func run() async -> FirstPullFailure? {
        let end = ContinuousClock.now + Self.limit
        do {
            let (_, outcome) = try await mirror.pull { [source] in
                let reading = Task { try await source.pull() }
                return try await reading.value(within: max(.zero, end - .now))
            }
            if case .refused(let text) = outcome { return FirstPullFailure(description: text, cause: nil) }
            if case .replaced(let changes) = outcome, let warning = changes.warning { logger.error("\(warning)") }
            return nil
        } catch let error as UpstreamError where error.reason == .cancelled {
            return FirstPullFailure(description: "the database gave no answer within \(Self.limit)", cause: nil)
        } catch {
            return FirstPullFailure(description: String(describing: error), cause: error)
        }
    }
}

/// Why the pull before the start failed.
public struct FirstPullFailure: Sendable {
    /// The reason, in one line.
    public let description: String
    /// The underlying error; `nil` when the pull was too slow or was refused.
    public let cause: (any Error)?
}
