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

    /// What a SELECT lists of a file of a version: the stream's columns, and NULL for those that the version lacks.
    func selection(inFileOfVersion version: Int) -> String {
        columns.map { $0.since <= version ? $0.name : "NULL" }.joined(separator: ", ")
    }
}
