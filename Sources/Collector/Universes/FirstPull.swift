public import Store
public import Upstream

/// One pull before the first connection, for a start that would otherwise have nothing to collect.
public struct FirstPull: Sendable {
    /// How long the pull may take, since the start waits for it.
    public static let limit: Duration = .seconds(10)

    private let mirror: UniverseMirror
    private let source: UniverseSource

    /// A pull from the database into the mirror.
    public init(into mirror: UniverseMirror, from source: UniverseSource) {
        self.mirror = mirror
        self.source = source
    }

    /// Runs the pull.
    ///
    /// - Returns: Why the mirror could not be updated; `nil` when it was.
    public func run() async -> FirstPullFailure? {
        let reading = Task { try await source.read() }
        do {
            let snapshot = try await reading.value(within: Self.limit)
            let outcome = try mirror.replacePulled(with: snapshot.records, source: snapshot.source)
            guard case .refused(let text) = outcome else { return nil }
            return FirstPullFailure(description: text, cause: nil)
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
