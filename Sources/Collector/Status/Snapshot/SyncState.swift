public import MarketData

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

    /// How one stream stands.
    public struct Stream: Sendable, Equatable {
        /// Rows that are upstream since the process started.
        public var rows: Int64 = 0
        /// Rows refused upstream since the process started.
        public var refused: Int64 = 0
        /// What keeps this stream, and no other, from going on.
        public var failure: Failure?

        /// Makes the state of a stream that has done nothing.
        public init() {}
    }

    /// Whether there is an upstream (`DATABASE_URI`).
    public var isConfigured = false
    /// Rows that are upstream since the process started; a row that was refused is not.
    public var rows: Int64 = 0
    /// Rows refused upstream since the process started.
    public var refused: Int64 = 0
    /// Seconds since a pass last found everything upstream; `nil` before the first.
    public var lastSuccessAge: Double?
    /// The failure under way, with the names of the streams that it is about where others go on.
    public var failure: Failure?
    /// How each stream stands.
    public var streams: [EventStream: Stream] = [:]
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
        lastSuccessAge = status.lastSuccess.map { max(0, (now - $0).inSeconds) }
        failure = status.failure.map { Failure($0, now: now) }
        for stream in EventStream.allCases {
            var state = Stream()
            state.rows = Int64(status.totals[stream].uploaded)
            state.refused = Int64(status.totals[stream].refused)
            state.failure = status.failures[stream].map { Failure($0, now: now) }
            streams[stream] = state
        }
    }
}

extension SyncState.Failure {
    fileprivate init(_ failure: SyncStatus.Failure, now: ContinuousClock.Instant) {
        self.init(
            description: failure.description, needsPerson: failure.needsPerson,
            age: max(0, (now - failure.since).inSeconds))
    }
}
