import MarketData

extension EventStream {
    /// The version of the schema of `ticks.sqlite` since which the stream has its table.
    private var since: Int {
        switch self {
        case .bars, .trades, .quotes: 1
        case .luld, .imbalances, .fairValues: 6
        }
    }

    /// The streams that a file of a version has tables of.
    static func inFile(ofVersion version: Int) -> [EventStream] { allCases.filter { $0.since <= version } }
}
