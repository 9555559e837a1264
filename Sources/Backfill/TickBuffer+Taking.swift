import MarketData
import Store

extension TickBuffer {
    /// Takes bars that the REST API or a file brought, a few thousand at a time, and waits for room where there is none.
    ///
    /// - Parameter source: what brought them; its name takes the place of a connection's.
    func take(_ bars: [Bar], as source: EventSource) async throws(BackfillError) {
        var start = 0
        while start < bars.count {
            var part = EventBatch(connection: source.rawValue, receivedMicroseconds: WallClock.microseconds())
            part.source = source
            part.bars = Array(bars[start..<min(start + 4096, bars.count)])
            try await take(part)
            start += part.bars.count
        }
    }

    /// Takes a batch, and waits for room where there is none.
    func take(_ batch: EventBatch) async throws(BackfillError) {
        guard !batch.isEmpty else { return }
        await withCheckedContinuation { continuation in whenRoom { continuation.resume() } }
        guard offer(batch) != .refused else {
            throw BackfillError(.buffer, "the buffer has no room for the rows; check the disk and its load")
        }
    }

    /// Waits until what was taken is durable.
    func durable() async throws(BackfillError) {
        do { try await flush() } catch { throw BackfillError(.buffer, "\(error)") }
    }
}

extension Bar {
    /// This bar with the tape's numbers, keeping what the tape lacks.
    func taking(_ tape: Bar) -> Bar {
        var bar = self
        (bar.open, bar.high, bar.low, bar.close) = (tape.open, tape.high, tape.low, tape.close)
        (bar.volume, bar.vwap) = (tape.volume, tape.vwap ?? vwap)
        return bar
    }
}
