import MarketData

/// The state of New York's market at a moment, and when it ends. It distinguishes a silent feed from a closed market.
/// Pure.
public struct MarketHours: Sendable, Equatable, Codable {
    /// The part of the day.
    public enum Session: String, Sendable, Codable, CaseIterable {
        /// Night, or a weekend.
        case closed
        /// A weekday without trading.
        case holiday
        /// Before the regular session.
        case preMarket = "pre_market"
        /// The regular session.
        case regular
        /// After the regular session.
        case afterHours = "after_hours"
    }

    /// The part of the day.
    public var session: Session
    /// When it ends, that is when trading or the next part of the day begins, in milliseconds since the Unix epoch.
    public var until: Int64

    private enum CodingKeys: String, CodingKey {
        case session
        case until = "until_ms"
    }

    /// - Parameter time: milliseconds since the Unix epoch.
    public init(at time: Int64) {
        let day = TradingDay(at: time)
        let parts = day.session.map { hours -> [(Session, Int64)] in
            [
                (.closed, hours.open), (.preMarket, hours.regularOpen), (.regular, hours.regularClose),
                (.afterHours, hours.close),
            ]
        }
        if let (session, until) = parts?.first(where: { time < $0.1 }) {
            (self.session, self.until) = (session, until)
            return
        }
        let isWeekday = day.monday.distance(to: day) < 5
        session = parts == nil && isWeekday ? .holiday : .closed
        var next = day.after
        while next.session == nil { next = next.after }
        until = next.session?.open ?? time
    }
}
