import FoundationEssentials
public import MarketData

/// A dead letter that leaves the file: put back into the queue, or discarded.
struct SettledLetter: Sendable {
    let stream: EventStream
    let sequence: Int64
    /// The event that replaces it in the queue; `nil` if it is discarded.
    let batch: EventBatch?
    /// The event's symbol; `nil` if it can't be read.
    let symbol: Symbol?
    /// The event's feed time in milliseconds since the Unix epoch; `nil` if it can't be read.
    let time: Int64?
    /// No bar through this row is a newer version of this letter's bar.
    let lookedThrough: Int64
    /// Called with the number that the event has in the queue, once it is durable there.
    let placed: @Sendable (Int64) -> Void

    /// A letter that goes back into the queue as `event`.
    init(
        _ letter: DeadLetter, _ event: DeadLetter.Event, lookedThrough: Int64,
        placed: @escaping @Sendable (Int64) -> Void
    ) {
        stream = letter.stream
        sequence = letter.sequence
        batch = event.batch
        symbol = event.symbol
        time = event.time
        self.lookedThrough = lookedThrough
        self.placed = placed
    }

    /// A letter that a person gives up.
    init(discarding letter: DeadLetter) {
        let event = letter.event
        stream = letter.stream
        sequence = letter.sequence
        batch = nil
        symbol = event?.symbol
        time = event?.time
        lookedThrough = .max
        placed = { _ in }
    }
}

extension DeadLetter {
    /// The event of a dead letter.
    public struct Event: Sendable, Equatable {
        /// The event alone, as it came.
        public let batch: EventBatch
        /// Its symbol.
        public let symbol: Symbol
        /// Its feed time in milliseconds since the Unix epoch.
        public let time: Int64
    }

    /// The event that ``row`` holds; `nil` when it holds none.
    public var event: Event? {
        guard let row = try? JSONDecoder().decode([String: Cell].self, from: Data(row.utf8)) else { return nil }
        func value(_ name: String) -> ColumnValue? { row[name]?.value }
        guard case .integer(let received)? = value("received_us") else { return nil }
        var connection = ""
        if case .text(let name)? = value("connection") { connection = name }
        var batch = EventBatch(connection: connection, receivedMicroseconds: received)
        if case .text(let name)? = value("source") { batch.source = EventSource(rawValue: name) ?? .stream }
        guard let found = stream.event.init(takesNaN: true, texts: &batch.text, value) else { return nil }
        batch.append(found.any)
        return Event(batch: batch, symbol: found.symbol, time: found.time)
    }

    /// A member of a row's JSON object.
    private struct Cell: Decodable {
        let value: ColumnValue?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                value = nil
            } else if let whole = try? container.decode(Int64.self) {
                value = .integer(whole)
            } else if let number = try? container.decode(Double.self) {
                value = .real(number)
            } else {
                value = .text(try container.decode(String.self))
            }
        }
    }
}
