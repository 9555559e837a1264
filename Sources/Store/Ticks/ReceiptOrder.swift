import GRDB
import MarketData

/// The order of rows by their time of receipt. Rows are in that order, except refused ones that were put back at the
/// end: these keep the old time, by which they are recognised upstream. So a time is found by binary search, and the
/// time of a place is the latest of the rows shortly before it.
enum ReceiptOrder {
    /// How many rows determine the time of a place: more than are usually put back without a new row among them. If
    /// more were put back, a time among the rows before them may be missed until they have been deleted.
    static let reach = 20_000

    /// The query for the time of a place in microseconds since the Unix epoch; its parameter is the place.
    static func query(_ stream: EventStream) -> String { greatest(of: stream, last: reach, "WHERE seq <= ?1") }

    /// The condition on a time of receipt. An impossible one was written by another program and is ignored.
    static let isPossible = "received_us BETWEEN 0 AND \(UnixTime.possible.upperBound)999"

    /// The query for the latest time at which some of a stream's last rows were received, in microseconds since the
    /// Unix epoch.
    static func greatest(of stream: EventStream, last count: Int, _ condition: String = "") -> String {
        """
        SELECT max(received_us) FROM
        (SELECT received_us FROM \(stream.rawValue) \(condition) ORDER BY seq DESC LIMIT \(count))
        WHERE \(isPossible)
        """
    }

    /// Returns the time of a place in microseconds since the Unix epoch; `nil` if there is no row up to it.
    static func receipt(_ stream: EventStream, through sequence: Int64, _ database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: query(stream), arguments: [sequence])
    }

    /// Returns the first place within bounds whose row was received at a time or later; the place after the bounds if
    /// there is none.
    ///
    /// - Parameter receipt: Returns a place's time, as ``receipt(_:through:_:)`` does.
    static func first<Failure: Error>(
        in bounds: ClosedRange<Int64>, receivedFrom microseconds: Int64,
        _ receipt: (_ through: Int64) throws(Failure) -> Int64?
    ) throws(Failure) -> Int64 {
        // The common case, everything, needs no binary search.
        if try receipt(bounds.lowerBound) ?? .min >= microseconds { return bounds.lowerBound }
        return try (bounds.lowerBound..<bounds.upperBound + 1).partitioningIndex { place throws(Failure) in
            try receipt(place) ?? .min >= microseconds
        }
    }

    /// Like ``first(in:receivedFrom:_:)``, for a stream's rows.
    static func first(
        of stream: EventStream, in bounds: ClosedRange<Int64>, receivedFrom microseconds: Int64, _ database: Database
    ) throws -> Int64 {
        try first(in: bounds, receivedFrom: microseconds) { place in
            try receipt(stream, through: place, database)
        }
    }

    /// Like ``first(of:in:receivedFrom:_:)``, for the rows of events that happened at a time or later. Those were
    /// received before it if the clock was behind: the rows before the place that is found show by how much, and the
    /// search is repeated with the earlier time, of a day before at most.
    static func first(
        of stream: EventStream, in bounds: ClosedRange<Int64>, ofEventsFrom microseconds: Int64, _ database: Database
    ) throws -> Int64 {
        var place = try first(of: stream, in: bounds, receivedFrom: microseconds, database)
        var behind = tolerance
        // The clock may have been even further behind before.
        for _ in 0..<10 where place > bounds.lowerBound {
            let found = try min(Int64.fetchOne(database, sql: lead(stream), arguments: [place]) ?? 0, day)
            guard found > behind else { break }
            behind = found
            place = try first(of: stream, in: bounds, receivedFrom: microseconds - behind, database)
        }
        return place
    }

    /// Returns a time, in microseconds since the Unix epoch, before which no event was received that happened at a time
    /// in milliseconds or later: events are received after they happen, and the clock may have been wrong by a day.
    static func earliest(ofEventsFrom milliseconds: Int64) -> Int64 { TickHistory.microseconds(milliseconds) - day }

    /// How far events may be ahead of their receipt without a clock that was behind, in microseconds.
    private static let tolerance: Int64 = 60_000_000
    private static let day: Int64 = 86_400_000_000

    /// The query for how far the events of the rows before a place were ahead of their receipt at most, in microseconds;
    /// its parameter is the place.
    private static func lead(_ stream: EventStream) -> String {
        """
        SELECT max(time * 1000 - received_us) FROM
        (SELECT \(stream.timeColumn) AS time, received_us FROM \(stream.rawValue) WHERE seq < ?1 ORDER BY seq DESC LIMIT 100)
        WHERE \(isPossible) AND time BETWEEN 0 AND \(UnixTime.possible.upperBound)
        """
    }
}
