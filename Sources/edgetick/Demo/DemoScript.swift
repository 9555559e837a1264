/// The schedule by which the demo breaks its parts. Pure.
struct DemoScript {
    /// Something done to the collector or its surroundings, and the line printed when it begins.
    enum Act: String {
        case cutFeed = "The feed's connection is cut. The collector reconnects by itself."
        case killCollector = "The collector is killed (kill -9). Every durable row stays in the file."
        case startCollector = "The collector is restarted and continues with the same file."
        case stopDatabase = "The database is stopped. Collection continues; rows wait in the file."
        case startDatabase = "The database is back. The waiting rows are uploaded, each once."
    }

    /// The acts still to come, each with its time since the start.
    private var rest: ArraySlice<(at: Duration, act: Act)>

    /// The script of a demo that ends after `limit` or, if that is `nil`, on request. The acts are spread over half a
    /// minute, or over the whole of a shorter demo.
    init(limit: Duration?, hasDatabase: Bool) {
        let unit = min(limit ?? .seconds(30), .seconds(30)) / 30
        let acts: [(at: Int, act: Act)] = [
            (6, .cutFeed), (10, .killCollector), (12, .startCollector), (16, .stopDatabase), (21, .startDatabase),
        ]
        rest =
            acts.filter { hasDatabase || ($0.act != .stopDatabase && $0.act != .startDatabase) }
            .map { (at: unit * $0.at, act: $0.act) }[...]
    }

    /// The next act whose time has come.
    mutating func next(after elapsed: Duration) -> Act? {
        guard let first = rest.first, first.at <= elapsed else { return nil }
        rest.removeFirst()
        return first.act
    }
}
