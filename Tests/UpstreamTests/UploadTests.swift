import MarketData
import TestSupport
import Testing

@testable import Upstream

@Suite struct UploadTests {
    @Test func `every column of a bar arrives as the decimal that was sent`() async throws {
        let sandbox = try await Sandbox.migrated()
        let outcome = try await sandbox.uploader().upload(
            batch([bar(volume: 1200.5), bar(interval: .second, close: 0.4372)]))
        #expect(outcome.inserted == 2 && outcome.path == .direct && outcome.bytes > 100)
        #expect(
            try sandbox.run("SELECT * FROM ohlcv_1min")
                == "AAPL|2013-10-08 13:30:00+00|34.5|34.6|34.4372|34.51|1201|1200.5|34.4999|90210.5|34.25|34.3123|101|f|"
                + "1381239000000|1381239060000|2013-10-08 13:31:01.000123+00|edge-1|primary|stream")
        #expect(try sandbox.run("SELECT symbol, close, end_ms FROM ohlcv_1sec") == "AAPL|0.4372|1381239001000")
    }
}
