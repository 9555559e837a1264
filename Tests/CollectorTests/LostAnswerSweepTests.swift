import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// The line to the database is cut before every message of an upload in turn, of either side.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct LostAnswerSweepTests {
    @Test(arguments: [EventStream.trades, .bars])
    func `wherever an upload is cut, the next one loses nothing and doubles nothing`(_ stream: EventStream) async throws
    {
        let rig = try await UploadRig()
        var rows: Int64 = 0
        var cuts = 0
        while true {
            let pass = rig.pass
            _ = try await pass.run()
            // Settling with the ledger, and three batches, of which two are committed with the beginning of the next.
            rows += 450
            try await rig.append(450, to: stream)
            await rig.uploader.settleAgain()
            rig.proxy.set(.cutAtMessage(cuts + 1))
            let failure = await failure(of: pass)
            let isCut = rig.proxy.cuts > cuts
            rig.proxy.set(.pass)
            if isCut {
                cuts += 1
                #expect(failure != nil || rig.buffer.statistics.pending == 0, "cut at \(cuts)")
                _ = try await rig.pass.run()
            }
            #expect(rig.buffer.statistics.pending == 0, "cut at \(cuts)")
            try #require(try rig.count(stream) == "\(rows)|\(rows)", "cut at \(cuts)")
            guard isCut else { break }
        }
        // Nothing was cut once: so many messages an upload has, and its COMMITs are among them.
        #expect(cuts > 30)
        await rig.end()
    }

    private func failure(of pass: UploadPass) async -> (any Error)? {
        do {
            _ = try await pass.run()
            return nil
        } catch {
            return error
        }
    }
}
