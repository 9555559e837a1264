import MarketData

/// One of the databases, by what it holds.
public enum UpstreamRole: String, Sendable, CaseIterable {
    /// `DATABASE_URI`: the groups and all streams, except those in ``ticks`` if there is such a database.
    case main
    /// `DATABASE_URI_TICKS`: all streams except bars.
    case ticks

    /// The setting that names the database.
    public var setting: String {
        switch self {
        case .main: "DATABASE_URI"
        case .ticks: "DATABASE_URI_TICKS"
        }
    }

    /// The streams whose rows go to it.
    ///
    /// - Parameter isAlone: whether it is the only database.
    func streams(isAlone: Bool) -> [EventStream] {
        switch self {
        case .main: isAlone ? EventStream.allCases : [.bars]
        case .ticks: EventStream.allCases.filter { $0 != .bars }
        }
    }
}
