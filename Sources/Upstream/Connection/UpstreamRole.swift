import MarketData

/// Which of the databases it is, by what it holds.
public enum UpstreamRole: String, Sendable, CaseIterable {
    /// `DATABASE_URI`: all streams and the groups; without the streams that ``ticks`` has where there is one.
    case main
    /// `DATABASE_URI_TICKS`: the streams without bars.
    case ticks

    /// The setting that names the database.
    public var setting: String {
        switch self {
        case .main: "DATABASE_URI"
        case .ticks: "DATABASE_URI_TICKS"
        }
    }

    /// The streams that go there.
    ///
    /// - Parameter isAlone: Whether there is no other database.
    func streams(isAlone: Bool) -> [EventStream] {
        switch self {
        case .main: isAlone ? EventStream.allCases : [.bars]
        case .ticks: EventStream.allCases.filter { $0 != .bars }
        }
    }
}
