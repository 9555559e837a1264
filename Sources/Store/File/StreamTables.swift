import MarketData

extension EventStream {
    /// The version of the schema of `ticks.sqlite` that introduced the stream's table.
    private var since: Int {
        switch self {
        case .bars, .trades, .quotes: 1
        case .luld, .imbalances, .fairValues: 6
        }
    }

    /// The streams that have tables in a file of a version.
    static func inFile(ofVersion version: Int) -> [EventStream] { allCases.filter { $0.since <= version } }

    /// Returns what a SELECT lists in a file of a version: the columns, with NULL for those that it lacks.
    func selection(inFileOfVersion version: Int) -> String {
        columns.map { $0.since <= version ? $0.name : "NULL" }.joined(separator: ", ")
    }
}
