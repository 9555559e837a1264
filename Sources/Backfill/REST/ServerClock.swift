import MarketData
import NIOHTTP1

/// The clock of a server, as the head of an answer shows it.
struct ServerClock: Sendable {
    /// What it showed, in milliseconds since the Unix epoch. Servers send whole seconds.
    let milliseconds: Int64
    /// A moment before it showed that. The answer may come long afterwards.
    private let asked: ContinuousClock.Instant

    /// Reads an answer to what was asked at a moment; `nil` if it has no date.
    init?(_ headers: HTTPHeaders, asked: ContinuousClock.Instant) {
        guard let date = headers.first(name: "date").flatMap(HTTPDate.milliseconds) else { return nil }
        // A cache may have kept the answer for that many seconds.
        let age = headers.first(name: "age").flatMap { Int64($0) } ?? 0
        milliseconds = date + max(0, min(age, 86_400)) * 1000
        self.asked = asked
    }

    /// The latest that it can have shown at a moment, in milliseconds since the Unix epoch.
    func latest(at moment: ContinuousClock.Instant) -> Int64 {
        milliseconds + 1000 + asked.duration(to: moment).milliseconds
    }
}
