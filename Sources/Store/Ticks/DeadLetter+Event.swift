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
    /// Whether its row is upstream after all, so that nothing is lost with it.
    let isUploaded: Bool
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
        isUploaded = false
        self.placed = placed
    }

    /// A letter that a person gives up, or whose row is upstream after all.
    init(discarding letter: DeadLetter, isUploaded: Bool = false) {
        let event = letter.event
        self.isUploaded = isUploaded
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
        var texts = TextArena()
        guard let found = read(&texts) else { return nil }
        var batch = EventBatch(connection: found.connection, receivedMicroseconds: found.received)
        batch.source = found.source
        batch.text = texts
        batch.append(found.event.any)
        return Event(batch: batch, symbol: found.event.symbol, time: found.event.time)
    }

    /// Reads the event with its origin, and adds its texts to an arena.
    fileprivate func read(
        _ texts: inout TextArena
    ) -> (event: any MarketEvent, connection: String, received: Int64, source: EventSource)? {
        guard let row = try? JSONDecoder().decode([String: Cell].self, from: Data(row.utf8)) else { return nil }
        func value(_ name: String) -> ColumnValue? { row[name]?.value }
        guard case .integer(let received)? = value("received_us") else { return nil }
        var (connection, source) = ("", EventSource.stream)
        if case .text(let name)? = value("connection") { connection = name }
        if case .text(let name)? = value("source") { source = EventSource(rawValue: name) ?? .stream }
        guard let event = stream.event.init(takesNaN: true, texts: &texts, value) else { return nil }
        return (event, connection, received, source)
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

extension BufferedBatch {
    /// Makes a batch of the rows of a stream's dead letters, under their numbers, to look them up. Letters whose row
    /// can't be read are left out.
    public init(of letters: some Sequence<DeadLetter>, in stream: EventStream) {
        self.init(stream: stream)
        for letter in letters where letter.stream == stream {
            guard let found = letter.read(&text) else { continue }
            let place = connections.firstIndex(of: found.connection) ?? connections.count
            if place == connections.count { connections.append(found.connection) }
            func row<Event: MarketEvent>(_ event: Event) -> Buffered<Event> {
                Buffered(
                    sequence: letter.sequence, event: event, receivedMicroseconds: found.received,
                    connection: Int32(place), source: found.source)
            }
            switch found.event.any {
            case .bar(let event): bars.append(row(event))
            case .trade(let event): trades.append(row(event))
            case .quote(let event): quotes.append(row(event))
            case .limitBand(let event): limitBands.append(row(event))
            case .imbalance(let event): imbalances.append(row(event))
            case .fairValue(let event): fairValues.append(row(event))
            }
        }
    }
}
