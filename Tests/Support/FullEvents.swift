public import MarketData

extension EventStream {
    /// Returns two events of the stream: one of BRK.B with a different value in every column, and one of IBM with only
    /// the required columns.
    public func fullAndBareEvents() -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_623_400_123_456)
        add(event, isFull: true, to: &batch)
        add(event, isFull: false, to: &batch)
        return batch
    }

    private func add<Event: MarketEvent>(_: Event.Type, isFull: Bool, to batch: inout EventBatch) {
        let event = Event(texts: &batch.text) { name in
            guard let place = Event.columns.firstIndex(where: { $0.column.name == name }) else { return nil }
            let column = Event.columns[place].column
            if column.content == .symbol { return .text(isFull ? "BRK.B" : "IBM") }
            return isFull || column.isRequired ? column.sample(place) : nil
        }
        if let event { batch.append(event.any) }
    }
}

extension Column {
    /// Returns a value that the column can hold, a different one for each place.
    fileprivate func sample(_ place: Int) -> ColumnValue? {
        switch content {
        case .interval: .integer(60)
        case .milliseconds: .integer(1_767_623_400_000 + Int64(place) * 1001)
        // The same moment as in the column before it.
        case .nanoseconds: .integer((1_767_623_400_000 + Int64(place - 1) * 1001) * 1_000_000 + 123_456)
        case .price, .quantity: .real(Double(place) + 0.4372)
        case .whole: .integer(5_000_000_000 + Int64(place))
        case .small: .integer(100 + Int64(place))
        case .flag: .integer(1)
        case .text: .text("a \"text\" \(place)")
        case .list: .text("[\(place),604]")
        case .sequence, .symbol, .microseconds, .name, .source: nil
        }
    }
}
