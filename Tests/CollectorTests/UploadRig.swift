import Foundation
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

let quiet = Logger.quiet

/// A buffer, a database, and a connection between them that can be cut.
final class UploadRig {
    let workspace: Workspace
    let cluster: PostgresCluster
    let database: String
    let proxy: TCPProxy
    let buffer: TickBuffer
    let uploader: Uploader
    private var written: [EventStream: Int64] = [:]

    /// The events are from 2013: with a shorter retention they would be deleted half a minute after the start. The
    /// time limits are longer than a loaded machine may stand still.
    init(
        retention: Duration = .seconds(1_000_000_000), statementTimeout: Duration = .seconds(60)
    ) async throws {
        workspace = try Workspace()
        cluster = try PostgresCluster.shared()
        database = try await cluster.makeMigratedDatabase(for: "edge-1").database
        proxy = try TCPProxy(to: cluster.port)
        buffer = try TickBuffer.scratch(in: workspace.path, collector: "edge-1", retention: retention)
        uploader = Uploader(
            configuration: try UpstreamConfiguration(
                uri: cluster.uri(database, port: proxy.port), collector: "edge-1",
                connectTimeout: .seconds(60), statementTimeout: statementTimeout),
            bufferID: buffer.id, logger: quiet)
    }

    /// Buffers events of a stream; the id or sequence number of each, and its price, tell which one it is.
    func append(_ count: Int64, to stream: EventStream = .trades) async throws {
        let before = written[stream, default: 0]
        written[stream] = before + count
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_381_239_000_000_000 + before)
        let symbol = Symbol("MSFT")!
        for number in before + 1...before + count {
            let price = Double(number) / 100
            switch stream {
            case .bars:
                let start = 1_381_239_000_000 + number * 60_000
                batch.bars.append(Bar.flat(symbol, at: start, price: price, volume: 10))
            case .trades:
                batch.trades.append(
                    Trade(
                        symbol: symbol, time: 1_381_239_000_000 + number, price: price, size: 1,
                        tradeID: batch.text.append("\(number)")))
            case .quotes:
                batch.quotes.append(
                    Quote(symbol: symbol, time: 1_381_239_000_000 + number, bid: price, sequence: number))
            case .luld:
                batch.limitBands.append(
                    LimitBand(
                        symbol: symbol, time: 1_381_239_000_000 + number, timeNanoseconds: nil, high: price,
                        sequence: number))
            case .imbalances:
                batch.imbalances.append(
                    Imbalance(
                        symbol: symbol, time: 1_381_239_000_000 + number, timeNanoseconds: nil, sequence: number))
            case .fairValues:
                batch.fairValues.append(
                    FairValue(
                        symbol: symbol, time: 1_381_239_000_000 + number, timeNanoseconds: nil, value: price))
            }
        }
        #expect(buffer.offer(batch) != .refused)
        try await buffer.flush()
    }

    var pass: UploadPass { UploadPass(buffer: buffer, uploader: uploader, batchRows: 150) }

    /// The trades upstream: how many, how many distinct, the first, the last, and how many have another's price.
    func upstream() throws -> String {
        try cluster.value(
            """
            SELECT count(*), count(DISTINCT trade_id), min(trade_id::int), max(trade_id::int),
                   count(*) FILTER (WHERE price * 100 <> trade_id::int) FROM trades
            """, database: database)
    }

    /// The number of a stream's rows upstream, and how many of them are distinct.
    func count(_ stream: EventStream) throws -> String {
        let (table, key) =
            switch stream {
            case .bars: ("ohlcv_1min", "timestamp")
            case .trades: ("trades", "trade_id")
            case .quotes: ("quotes", "sequence")
            case .luld: ("luld", "sequence")
            case .imbalances: ("imbalances", "sequence")
            case .fairValues: ("fair_values", "time")
            }
        return try sql("SELECT count(*), count(DISTINCT \(key)) FROM \(table)")
    }

    @discardableResult
    func sql(_ text: String) throws -> String { try cluster.value(text, database: database) }

    /// Runs a query on the file, and returns what the sqlite3 shell prints.
    func sqlite(_ sql: String) throws -> String { try Command.query(workspace.file("ticks.sqlite"), sql) }

    func end() async {
        await uploader.disconnect()
        await buffer.close()
        proxy.stop()
    }
}

/// A single batch, whose upload is not acknowledged.
actor OneBatch: UploadSource {
    private var batch: BufferedBatch?

    init(_ batch: BufferedBatch) { self.batch = batch }

    func nextBatch() async throws -> BufferedBatch? {
        defer { batch = nil }
        return batch
    }

    func keep(_ refused: [DeadLetter]) async throws {}

    func settled(_ batch: SettledBatch) async throws {}

    func failed(_ stream: EventStream, _ error: UpstreamError) {}
}

extension TickBuffer {
    /// Buffers trades that were just received, with these ids.
    func collect(trades ids: ClosedRange<Int>) async throws {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        for id in ids {
            batch.trades.append(
                Trade(
                    symbol: Symbol("IBM")!, time: 1_380_000_000_000 + Int64(id), price: Double(id) / 100, size: 100,
                    exchange: 4, tradeID: batch.text.append("\(id)"), sequence: Int64(id)))
        }
        #expect(offer(batch) != .refused)
        try await flush()
    }
}
