import Logging
import MarketData
import Store
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct QueryTextTests {
    @Test func `a symbol that has as many rows as are printed by default is named, since older ones may be left out`()
        throws
    {
        let (few, many) = (try #require(Symbol("AAPL")), try #require(Symbol("AIG")))
        #expect(QueryCommand.moreText([(few, 999)], of: .quotes, limit: 1000) == nil)
        let text = try #require(QueryCommand.moreText([(few, 999), (many, 1000)], of: .quotes, limit: 1000))
        #expect(text.hasPrefix("there may be more quotes of AIG: only the newest 1,000 per symbol "), "\(text)")
    }

    @Test func `texts of the feed steer no terminal, and programs get them as they are`() async throws {
        let workspace = try Workspace()
        let buffer = try TickBuffer.open(
            directory: workspace.path, options: .init(collector: "tests"), logger: Logger(label: "tests"))
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
        let text = "=1,\u{1b}[2J"
        let identifier = batch.text.append(text)
        let symbol = try #require(Symbol("IBM"))
        batch.trades = [Trade(symbol: symbol, time: 1_767_700_000_000, price: 1, size: 1, tradeID: identifier)]
        try await buffer.collect(batch)
        await buffer.close()
        let events = try TickHistory(directory: workspace.path).events(
            of: .trades, symbols: [symbol], from: nil, to: nil, limit: 10
        ) { _, _ in true }.values
        #expect(QueryCommand.csv(events, of: .trades, forTerminal: false).contains("\"\(text)\""))
        #expect(QueryCommand.csv(events, of: .trades, forTerminal: true).contains("\"=1,\\u{1b}[2J\""))
    }
}
