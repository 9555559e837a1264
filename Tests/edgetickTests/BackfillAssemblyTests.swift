import Backfill
import MarketData
import TestSupport
import Testing
import Upstream

@testable import edgetick

@Suite(.blocking, .timeLimit(.minutes(1))) struct BackfillAssemblyTests {
    /// Asks a database that isn't there.
    private func identified(isAlone: Bool) throws -> @Sendable () async throws(BackfillError) -> Set<EventStream> {
        let upstream = try UpstreamConfiguration(
            uri: "postgresql://nobody@127.0.0.1:1/none", collector: "tests", isAlone: isAlone)
        return Settings.identified([upstream], "00000000-0000-0000-0000-000000000001")
    }

    @Test func `a database that can't be asked what it recognises is not one that recognises nothing`() async throws {
        let identified = try identified(isAlone: true)
        let error = await #expect(throws: BackfillError.self) { try await identified() }
        #expect(error?.reason == .database)
        #expect(error?.description.contains("can't be asked whether it recognises trades and quotes") == true)
    }

    @Test func `a database of bars alone is not asked about trades and quotes`() async throws {
        let identified = try identified(isAlone: false)
        #expect(try await identified().isEmpty)
    }
}
