import GRDB
public import MarketData

/// An event with its origin: as a row of the buffer's file has it, or, without most of its texts, on its way there.
public struct StoredEvent: Sendable, Equatable {
    /// The event.
    public let event: AnyMarketEvent
    /// The event's texts.
    public let texts: TextArena
    /// The row's number in its stream; `nil` before it is durable.
    public let sequence: Int64?
    /// The name of the connection that brought it.
    public let connection: String
    /// The source of a bar's row; `nil` for other events, and before the row is durable.
    public let source: EventSource?
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public let receivedMicroseconds: Int64

    /// Makes an event that is on its way to the file; keeps only the text without which it would say little.
    public init(
        _ event: AnyMarketEvent, texts: TextArena = TextArena(), connection: String, receivedMicroseconds: Int64
    ) {
        (self.event, self.texts) = event.keepingDetail(in: texts)
        sequence = nil
        source = nil
        self.connection = connection
        self.receivedMicroseconds = receivedMicroseconds
    }

    /// The ticker.
    public var symbol: Symbol { event.head.symbol }
    /// The kind, named as the feed's channels are.
    public var kind: EventKind { event.head.kind }
    /// The event's time in milliseconds since the Unix epoch; a bar's is its window's start.
    public var time: Int64 { event.head.time }

    /// The event of a row; `nil` if the row lacks a valid symbol, time or number that its kind of event requires.
    init?(_ row: Row, of stream: EventStream) {
        var texts = TextArena()
        let cells = Cells(row)
        guard let event = stream.event.init(row, texts: &texts), let sequence: Int64 = cells["seq"] else { return nil }
        self.event = event.any
        self.texts = texts
        self.sequence = sequence
        connection = cells["connection"] ?? ""
        // Only bars have the column.
        let source = (row["source"] as DatabaseValue?).flatMap { String.fromDatabaseValue($0) }
        self.source = source.flatMap { EventSource(rawValue: $0) }
        receivedMicroseconds = cells["received_us"] ?? 0
    }
}

extension MarketEvent {
    /// The event of a row that has the columns of its stream, except those that the file's version lacks.
    init?(_ row: Row, texts: inout TextArena) {
        self.init(texts: &texts) { name in (row[name] as DatabaseValue?).flatMap { ColumnValue($0) } }
    }
}

extension Bar {
    /// The bar of a row of `bars`.
    init?(_ row: Row) {
        var texts = TextArena()
        self.init(row, texts: &texts)
    }
}

extension ColumnValue {
    /// `nil` for NULL and for a type that no column holds.
    fileprivate init?(_ value: DatabaseValue) {
        switch value.storage {
        case .int64(let value): self = .integer(value)
        case .double(let value): self = .real(value)
        case .string(let text): self = .text(text)
        case .null, .blob: return nil
        }
    }
}

extension Gap {
    /// The gap of a row, its times bounded to possible ones.
    init(_ row: Row) {
        let row = Cells(row)
        let from = UnixTime.bounded(row["from_ms"] ?? 0)
        let symbols: String = row["symbols"] ?? ""
        let events: String = row["events"] ?? ""
        self.init(
            connection: row["connection"] ?? "",
            symbols: symbols == "*" ? [] : symbols.split(separator: ",").compactMap { Symbol(String($0)) },
            events: events.split(separator: ",").compactMap { EventKind(rawValue: String($0)) },
            from: from, to: row["to_ms"].map { max(from, UnixTime.bounded($0)) },
            cause: row["cause"].flatMap { Cause(rawValue: $0) } ?? .disconnected,
            isUncertain: (row["uncertain"] ?? 0 as Int) != 0)
    }
}
