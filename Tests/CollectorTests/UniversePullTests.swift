import MarketData
import Store
import TestSupport
import Testing

@testable import Collector
@testable import Upstream

/// A pull into a mirror that others change.
@Suite(.timeLimit(.minutes(1))) struct UniversePullTests {
    @Test func `a pull into a mirror that changes each time says so, and can be tried again`() async throws {
        let rig = try SymbolsRig([])
        let error = await #expect(throws: StoreError.self) {
            try await rig.mirror.pull {
                try rig.add("a\(WallClock.microseconds())", "A")
                return UniverseSnapshot(
                    records: UniverseRecords(), legacy: [], legacyCount: 0, remarks: [], source: "db")
            }
        }
        #expect(error?.reason == .changing && error?.isRetryable == true)
        let mirror = rig.workspace.file(LocalFile.universe.name)
        #expect(
            error?.description
                == "cannot write a pull to \(mirror): it keeps changing (3 times while the database was read); try again"
        )
    }
}
