/// The last hour for the charts: a point every five seconds, in a ring of fixed size.
public struct History: Sendable {
    /// The values at one moment.
    public struct Point: Sendable, Equatable {
        /// When the point was taken, in milliseconds since the Unix epoch.
        public var time: Int64
        /// Events per second since the previous point, by connection id.
        public var rates: [String: Double]
        /// Rows that upstream does not have.
        public var pending: Int64
        /// The age of the oldest such row, in seconds; 0 when there is none.
        public var lag: Double
        /// The median age of the events since the previous point when they were read, in seconds; `nil` without events.
        public var latencyMedian: Double?
        /// The 99th percentile of those ages, in seconds; `nil` without events.
        public var latencyHigh: Double?
    }

    /// Seconds between points.
    public static let interval = 5.0
    /// Points of an hour.
    static let capacity = 720

    private var ring = Ring<Point>(capacity: History.capacity)

    /// The points, oldest first.
    public var points: [Point] { ring.elements() }

    /// Adds a point, which replaces the oldest when the ring is full.
    mutating func append(_ point: Point) { ring.append(point) }
}

/// The last hour as text, for a file that outlives the process: one line per point, with fields separated by tabs.
///
/// The fields are `time pending lag median high`, then `connection=rate` for each connection; `-` means unknown.
extension History {
    /// The points, oldest first.
    public var text: String {
        points.map { point in
            func field(_ value: Double?) -> String { value.map { "\($0)" } ?? "-" }
            let rates = point.rates.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return
                (["\(point.time)", "\(point.pending)", field(point.lag)]
                + [field(point.latencyMedian), field(point.latencyHigh)] + rates).joined(separator: "\t") + "\n"
        }.joined()
    }

    /// Reads the points of the hour before `now`, in milliseconds since the Unix epoch. Lines outside that hour, out of
    /// order or unreadable are left out.
    public init(text: String, now: Int64) {
        self.init()
        var newest = now - Int64(Self.interval * 1000) * Int64(Self.capacity)
        for point in text.split(separator: "\n").lazy.compactMap({ Point(line: $0) })
        where point.time > newest && point.time <= now {
            append(point)
            newest = point.time
        }
    }
}

extension History.Point {
    fileprivate init?(line: Substring) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count >= 5, let time = Int64(fields[0]), let pending = Int64(fields[1]),
            let lag = Double(fields[2])
        else { return nil }
        self.init(
            time: time, rates: [:], pending: pending, lag: lag, latencyMedian: Double(fields[3]),
            latencyHigh: Double(fields[4]))
        for field in fields[5...] {
            guard let end = field.lastIndex(of: "="), let rate = Double(field[field.index(after: end)...]) else {
                return nil
            }
            rates[String(field[..<end])] = rate
        }
    }
}
