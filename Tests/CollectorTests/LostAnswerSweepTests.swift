import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// The connection to the database is cut before each message of an upload in turn, from either side.
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
            // The upload settles with the ledger and sends three batches; two are committed as the next one begins.
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
        // The last upload had fewer messages, so every message was cut once, the COMMITs among them.
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
