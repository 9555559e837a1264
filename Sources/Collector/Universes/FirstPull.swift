public import Store
public import Upstream

/// One pull before the first connection, for a start that would have nothing to collect without it.
public struct FirstPull: Sendable {
    /// How long it may take: a start waits for it.
    public static let limit: Duration = .seconds(10)

    private let mirror: UniverseMirror
    private let source: UniverseSource

    /// A pull from the database into the mirror.
    public init(into mirror: UniverseMirror, from source: UniverseSource) {
        self.mirror = mirror
        self.source = source
    }

    /// Pulls.
    ///
    /// - Returns: Why the mirror is not as the database; `nil` when it is.
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

/// Why a pull before the start brought nothing.
public struct FirstPullFailure: Sendable {
    /// In one line.
    public let description: String
    /// The error behind it; `nil` when it was too slow or refused.
    public let cause: (any Error)?
}
