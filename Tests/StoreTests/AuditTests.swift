import MarketData
import Store
import TestSupport
import Testing

/// What is missing from a numbered feed's file, and what is there twice.
@Suite(.timeLimit(.minutes(5))) struct AuditTests {
    private static let symbol = Symbol("AAPL")!

    /// A file with trades and quotes of these sequences, which are also their times in milliseconds, and bars of these
    /// seconds.
    private func file(
        trades: [(id: Int64, sequence: Int64)], quotes: [Int64], bars: [Int64], gap: ClosedRange<Int64>? = nil
    ) async throws -> Scratch {
        let (scratch, buffer) = try Scratch.opened()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1)
        for trade in trades {
            batch.trades.append(
                Trade(
                    symbol: Self.symbol, time: trade.sequence, price: 1, size: 1,
                    tradeID: batch.text.append("\(trade.id)"), sequence: trade.sequence))
        }
        for number in quotes {
            batch.quotes.append(
                Quote(symbol: Self.symbol, time: number, bid: 1, bidSize: 1, ask: 2, askSize: 1, sequence: number))
        }
        for second in bars {
            batch.bars.append(Bar.flat(Self.symbol, .second, at: second * 1000))
        }
        #expect(buffer.offer(batch) == .accepted)
        if let gap {
            buffer.record(
                Gap(
                    connection: "primary", symbols: [Self.symbol], events: EventKind.allCases, from: gap.lowerBound,
                    to: gap.upperBound, cause: .down))
        }
        try await buffer.flush()
        await buffer.close()
        return scratch
    }

    @Test func `a whole feed misses nothing`() async throws {
        let scratch = try await file(trades: [(1, 2), (2, 5)], quotes: [1, 3, 4, 6], bars: [10, 11, 12])
        let audit = try BufferAudit.read(directory: scratch.path)
        #expect(audit.streams.values.allSatisfy { $0.missing == 0 && $0.rows == $0.events })
        #expect(audit.streams[.trades]?.rows == 2)
        #expect(audit.streams[.quotes]?.rows == 4)
        #expect(audit.streams[.bars]?.rows == 3)
    }

    @Test func `what is missing is counted by stream, and a gap explains what it covers`() async throws {
        // Trade 2 had sequence 3; quotes 4 and 6 are missing too. The gap covers 3 and 4.
        let scratch = try await file(trades: [(1, 1), (3, 7)], quotes: [2, 5, 8], bars: [10, 13], gap: 3...4)
        let audit = try BufferAudit.read(directory: scratch.path)
        #expect(audit.streams[.trades]?.missing == 1)
        #expect(audit.streams[.quotes]?.missing == 2)
        #expect(audit.streams[.bars]?.missing == 2)
        #expect(audit.streams[.trades]?.missingInGaps == 1)
        #expect(audit.streams[.quotes]?.missingInGaps == 1)
        #expect(audit.streams[.bars]?.missingInGaps == 0)
    }

    @Test func `what is there twice is counted`() async throws {
        let scratch = try await file(trades: [(1, 1), (1, 1)], quotes: [2, 2, 2], bars: [10, 10])
        let audit = try BufferAudit.read(directory: scratch.path)
        #expect(audit.streams[.trades].map { $0.rows - $0.events } == 1)
        #expect(audit.streams[.quotes].map { $0.rows - $0.events } == 2)
        #expect(audit.streams[.bars].map { $0.rows - $0.events } == 1)
    }
}
