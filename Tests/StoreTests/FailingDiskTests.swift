import Foundation
import Glibc
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// The disk refuses; nothing reported durable is lost, nothing is written twice, and it goes on by itself.
@Suite(.timeLimit(.minutes(5))) struct FailingDiskTests {
    @Test func `after failed writes the same batch is written again from memory, once`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        // The limit of the file size makes the system refuse real writes; it belongs to a process, so to a child.
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            var options = TickBuffer.Options(collector: "child", commitInterval: .fixed(.milliseconds(5)))
            options.queueBytes = 1 << 20
            let buffer = try TickBuffer.open(directory: path, options: options, logger: Logger(label: "child"))
            _ = buffer.offer(.bars(100))
            try await buffer.flush()

            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            var low = limit
            low.rlim_cur = rlim_t(StoreTestFiles.size(path + "/ticks.sqlite-wal") + 20_000)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
            var offered = 100
            var refused = false
            while !refused {
                refused = buffer.offer(.bars(500, from: offered)) == .refused
                if !refused { offered += 500 }
            }
            let error = await buffer.flushError()
            guard error?.reason == .inputOutput || error?.reason == .diskFull else { exit(10) }
            guard buffer.statistics.state != .writing else { exit(11) }
            guard buffer.statistics.queuedBytes <= 1 << 20 else { exit(12) }
            guard buffer.statistics[.bars].lastSequence < Int64(offered) else { exit(13) }

            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let expected = Int64(offered)
            guard (try? await Waiting.until("the state", { buffer.statistics[.bars].lastSequence == expected })) != nil
            else { exit(14) }
            guard (try? await Waiting.until("the state", { buffer.statistics.state == .writing })) != nil else {
                exit(15)
            }
            var after: Int64 = 0
            while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
                for row in batch.bars {
                    after += 1
                    guard row.sequence == after, row.event.volume == Double(after - 1) else { exit(16) }
                }
            }
            guard after == expected else { exit(17) }
            // What the full queue refused stands in the file.
            try await buffer.flush()
            guard buffer.statistics.drops == 500 else { exit(18) }
            await buffer.close()
            exit(0)
        }
        #expect(try scratch.number("SELECT count FROM drops WHERE reason = 'queue_full'") == 500)
    }

    @Test func `a buffer that closes while the disk refuses ends in time`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            let buffer = try TickBuffer.open(
                directory: path, options: .init(collector: "child"), logger: Logger(label: "child"))
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            var low = rlimit(rlim_cur: 4096, rlim_max: rlim_t.max)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
            _ = buffer.offer(.bars(5000, from: 100))
            let start = ContinuousClock.now
            await buffer.close()
            guard ContinuousClock.now - start < .seconds(9) else { exit(20) }
            guard buffer.statistics.drops == 5000 else { exit(21) }
            exit(0)
        }
        let buffer = try scratch.open()
        #expect(buffer.statistics[.bars].lastSequence == 100)
        await buffer.close()
    }

    @Test(
        .enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root"),
        arguments: [
            TickBuffer.FullPolicy.dropOldest, .rejectNew,
        ])
    func `a full disk brings no crash loop, is counted, and is left when there is room`(
        policy: TickBuffer.FullPolicy
    ) async throws {
        let scratch = try Scratch()
        let disk = try SmallDisk(at: scratch.path + "/disk", megabytes: 16)
        let buffer = try TickBuffer.open(
            directory: disk.path + "/data",
            options: .init(
                collector: "tests", commitInterval: .fixed(.milliseconds(5)), fullPolicy: policy, queueBytes: 4 << 20),
            logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
        var offered: Int64 = 0
        func feed(_ rounds: Int) async throws {
            for _ in 0..<rounds {
                if buffer.offer(.bars(500, from: Int(offered))) == .refused {
                    try? await buffer.flush()
                }
                offered += 500
                if offered % 5000 == 0 { try? await buffer.flush() }
            }
        }
        try await feed(20)
        disk.fill()
        try await feed(100)
        let statistics = buffer.statistics
        #expect(statistics.drops > 0)
        #expect(statistics.state != .writing)

        disk.empty()
        try await Waiting.until { (try? await buffer.flush()) != nil && buffer.statistics.queuedEvents == 0 }
        let deadline = ContinuousClock.now + .seconds(10)
        while buffer.statistics.state != .writing, ContinuousClock.now < deadline {
            try await feed(1)
            try? await buffer.flush()
        }
        #expect(buffer.statistics.state == .writing)
        let end = buffer.statistics
        var rows: Int64 = 0
        var after: Int64 = 0
        while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 5000),
            let last = batch.lastSequence
        {
            rows += Int64(batch.count)
            after = last
        }
        // Every event is in the file or counted, none twice.
        #expect(rows + end.drops == offered)
        await buffer.close()
        let report = try BufferReport.read(directory: disk.path + "/data")
        #expect(report.drops.reduce(0) { $0 + $1.count } == end.drops)
    }
}

extension TickBuffer {
    /// What makes an attempt to write fail; waits for one.
    func flushError() async -> StoreError? {
        do throws(StoreError) {
            try await flush()
            return nil
        } catch {
            return error
        }
    }
}
