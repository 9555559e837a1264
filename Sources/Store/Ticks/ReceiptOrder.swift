import GRDB
import MarketData

/// Rows are in the order of their receipt, but for refused ones that were put back at the end: these keep the old time, by
/// which they are recognised upstream. So a time is found by a few places on the way, and the time of a place is the
/// greatest of the rows shortly before it.
enum ReceiptOrder {
    /// How many rows tell the time of a place: more than are usually put back with no new one among them. Where more are,
    /// a time among the rows before them may be missed until they have been deleted.
    static let reach = 20_000

    /// The query of a place's time in microseconds since the Unix epoch, with the place as its parameter.
    static func query(_ stream: EventStream) -> String { greatest(of: stream, last: reach, "WHERE seq <= ?1") }

    /// The query of the greatest time at which some of a stream's last rows were received, in microseconds since the Unix
    /// epoch. What is no time is another program's, and says nothing.
    static func greatest(of stream: EventStream, last count: Int, _ condition: String = "") -> String {
        """
        SELECT max(received_us) FROM
        (SELECT received_us FROM \(stream.rawValue) \(condition) ORDER BY seq DESC LIMIT \(count))
        WHERE received_us BETWEEN 0 AND \(UnixTime.possible.upperBound)999
        """
    }

    /// The time of a place in microseconds since the Unix epoch; `nil` where no row is before it.
    static func receipt(_ stream: EventStream, through sequence: Int64, _ database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: query(stream), arguments: [sequence])
    }

    /// The first place within bounds whose row was received at a time or later; the one behind the bounds where none was.
    ///
    /// - Parameter receipt: a place's time, as ``receipt(_:through:_:)`` finds it.
    static func first<Failure: Error>(
        in bounds: ClosedRange<Int64>, receivedFrom microseconds: Int64,
        _ receipt: (_ through: Int64) throws(Failure) -> Int64?
    ) throws(Failure) -> Int64 {
        var (low, high) = (bounds.lowerBound, bounds.upperBound + 1)
        // Often asked for, and quicker than the way by halves: everything.
        if try receipt(low) ?? .min >= microseconds { return low }
        while low < high {
            let middle = low + (high - low) / 2
            if try receipt(middle) ?? .min >= microseconds { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// As ``first(in:receivedFrom:_:)``, of a stream's rows.
    static func first(
        of stream: EventStream, in bounds: ClosedRange<Int64>, receivedFrom microseconds: Int64, _ database: Database
    ) throws -> Int64 {
        try first(in: bounds, receivedFrom: microseconds) { place in
            try receipt(stream, through: place, database)
        }
    }
}
