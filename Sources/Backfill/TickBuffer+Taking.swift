import MarketData
import Store

extension TickBuffer {
    /// Takes bars from the REST API or a file, a few thousand at a time. Waits while the buffer has no room.
    ///
    /// - Parameters:
    ///   - source: the source of the bars.
    ///   - connection: whose name is stored in place of a connection's; `nil` for that of the source.
    func take(_ bars: [Bar], as source: EventSource, over connection: EventSource? = nil) async throws(BackfillError) {
        let connection = (connection ?? source).rawValue
        for part in bars.parts(of: 4096) {
            var batch = EventBatch(connection: connection, receivedMicroseconds: WallClock.microseconds())
            batch.source = source
            batch.bars = Array(part)
            try await bring(batch)
        }
    }

    /// Reads the file; a failure is one of the buffer.
    func reading<Value>(_ read: () throws -> Value) throws(BackfillError) -> Value {
        do {
            return try read()
        } catch {
            throw (error as? StoreError).map { BackfillError($0) } ?? BackfillError(.buffer, "\(error)")
        }
    }

    /// Records the progress of filling a gap.
    func note(_ fill: GapFill) async throws(BackfillError) {
        do throws(StoreError) { try await settle([fill]) } catch { throw BackfillError(error) }
    }

    /// Takes a batch. Waits while the buffer has no room.
    func bring(_ batch: EventBatch) async throws(BackfillError) {
        do throws(StoreError) { try await take(batch) } catch { throw BackfillError(error) }
    }

    /// Waits until what was taken is durable.
    ///
    /// - Parameter turnedAway: the value of ``turnedAway`` before the first batch that must have found room; `nil` when
    ///   none must.
    func durable(since turnedAway: Int? = nil) async throws(BackfillError) {
        do throws(StoreError) {
            try await flush()
            guard turnedAway ?? self.turnedAway == self.turnedAway else {
                throw StoreError(.full, operation: "append to", path: directory)
            }
        } catch {
            throw BackfillError(error)
        }
    }
}

extension Bar {
    /// A minute bar with the tape's numbers.
    init(_ symbol: Symbol, _ tape: DayBar) {
        self.init(
            symbol: symbol, interval: .minute, start: tape.start, end: tape.start + 60_000, open: tape.open,
            high: tape.high, low: tape.low, close: tape.close, volume: tape.volume, vwap: tape.vwap, isOTC: tape.isOTC)
    }

    /// Returns this bar with the tape's numbers; fields that the tape lacks keep their value.
    func taking(_ tape: Bar) -> Bar {
        var bar = self
        (bar.open, bar.high, bar.low, bar.close) = (tape.open, tape.high, tape.low, tape.close)
        (bar.volume, bar.vwap) = (tape.volume, tape.vwap ?? vwap)
        return bar
    }
}
