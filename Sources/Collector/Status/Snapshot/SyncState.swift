/// How the upload stands.
public struct SyncState: Sendable, Equatable {
    /// A failure that lasts.
    public struct Failure: Sendable, Equatable {
        /// What went wrong and what to do, in one line, without secrets.
        public var description: String
        /// Whether a person must fix it.
        public var needsPerson: Bool
        /// Seconds since it began.
        public var age: Double

        /// Makes a failure; see the properties for meaning.
        public init(description: String, needsPerson: Bool, age: Double) {
            self.description = description
            self.needsPerson = needsPerson
            self.age = age
        }
    }

    /// Whether there is an upstream (`DATABASE_URI`).
    public var isConfigured = false
    /// Rows settled upstream since the process started.
    public var rows: Int64 = 0
    /// Rows refused upstream since the process started.
    public var refused: Int64 = 0
    /// Seconds since a pass last found everything upstream; `nil` before the first.
    public var lastSuccessAge: Double?
    /// The failure under way.
    public var failure: Failure?
    /// For how many seconds no row was settled while rows wait; 0 while none waits.
    public var stalledFor = 0.0

    /// Makes the state of a collector without upstream.
    public init() {}
}

extension SyncState {
    /// The upload's state, from memory.
    init(_ status: SyncStatus, now: ContinuousClock.Instant) {
        self.init()
        isConfigured = true
        rows = Int64(status.rows)
        refused = Int64(status.refused)
        lastSuccessAge = status.lastSuccess.map { max(0, (now - $0).seconds) }
        failure = status.failure.map {
            Failure(description: $0.description, needsPerson: $0.needsPerson, age: max(0, (now - $0.since).seconds))
        }
    }
}
