import Foundation
import Glibc
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// The disk refuses writes: nothing reported durable is lost, nothing is written twice, and writing resumes by itself.
@Suite(.timeLimit(.minutes(5))) struct FailingDiskTests {
    @Test func `after failed writes the same batch is written again from memory, once`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        // A limit on the file size makes the system refuse real writes. It applies to a whole process, hence the child.
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
            guard buffer.statistics[.bars].marks.last < Int64(offered) else { exit(13) }

            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let expected = Int64(offered)
            guard (try? await Waiting.until("the state", { buffer.statistics[.bars].marks.last == expected })) != nil
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
            // What the full queue refused is counted in the file.
            try await buffer.flush()
            guard buffer.statistics.drops == 500 else { exit(18) }
            await buffer.close()
            exit(0)
        }
        #expect(try scratch.number("SELECT count FROM drops WHERE reason = 'queue_full'") == 500)
    }

    @Test func `what the full queue refused is shown while the disk refuses too`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            var options = TickBuffer.Options(collector: "child", commitInterval: .fixed(.seconds(60)))
            options.queueBytes = 1 << 20
            let buffer = try TickBuffer.open(directory: path, options: options, logger: Logger(label: "child"))
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            var offered = 100
            while buffer.offer(.bars(500, from: offered)) != .refused { offered += 500 }
            guard buffer.statistics.drops == 500 else { exit(60) }

            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            var low = limit
            low.rlim_cur = rlim_t(StoreTestFiles.size(path + "/ticks.sqlite-wal"))
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
            // The writer has taken the count, and can't store it.
            guard await buffer.flushError() != nil, buffer.statistics.drops == 500 else { exit(61) }

            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let expected = Int64(offered)
            guard (try? await Waiting.until("the rows", { buffer.statistics[.bars].marks.last == expected })) != nil
            else { exit(62) }
            guard buffer.statistics.drops == 500 else { exit(63) }
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
            // A pause of the whole machine holds up both.
            let patience = Task {
                try await Task.sleep(for: .seconds(5))
                return ContinuousClock.now
            }
            await buffer.close()
            let closed = ContinuousClock.now
            let due = try await patience.value
            guard closed < due + .seconds(4) else { exit(20) }
            guard buffer.statistics.drops == 5000 else { exit(21) }
            exit(0)
        }
        let buffer = try scratch.open()
        #expect(buffer.statistics[.bars].marks.last == 100)
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
        var options = TickBuffer.Options(collector: "tests", commitInterval: .fixed(.milliseconds(5)))
        (options.fullPolicy, options.queueBytes) = (policy, 4 << 20)
        let log = CapturedLog()
        let buffer = try TickBuffer.open(directory: disk.path + "/data", options: options, logger: log.logger)
        var offered: Int64 = 0
        // Each try to write may change what is shown, so it is looked at all the time.
        var isShown = false
        var dropped: Int64 = 0
        func feed(_ rounds: Int) async throws {
            for _ in 0..<rounds {
                if buffer.offer(.bars(500, from: Int(offered))) == .refused {
                    try? await buffer.flush()
                }
                offered += 500
                if offered % 5000 == 0 { try? await buffer.flush() }
                let statistics = buffer.statistics
                if statistics.state != .writing { isShown = true }
                #expect(statistics.drops >= dropped)
                dropped = statistics.drops
            }
        }
        try await feed(20)
        disk.fill()
        isShown = false
        try await feed(100)
        let end = ContinuousClock.now + .seconds(45)
        while !isShown || dropped == 0, ContinuousClock.now < end { try await feed(1) }
        #expect(dropped > 0)
        #expect(isShown)

        disk.empty()
        try await Waiting.until { (try? await buffer.flush()) != nil && buffer.statistics.queuedEvents == 0 }
        let deadline = ContinuousClock.now + .seconds(45)
        while buffer.statistics.state != .writing, ContinuousClock.now < deadline {
            try await feed(1)
            try? await buffer.flush()
        }
        #expect(buffer.statistics.state == .writing)
        try await buffer.flush()
        let last = buffer.statistics
        var rows: Int64 = 0
        var after: Int64 = 0
        while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 5000),
            let through = batch.lastSequence
        {
            rows += Int64(batch.count)
            after = through
        }
        // Every event is in the file or counted, none twice.
        #expect(rows + last.drops == offered)
        await buffer.close()
        let report = try BufferReport.read(directory: disk.path + "/data")
        #expect(report.drops.reduce(0) { $0 + $1.count } == last.drops)
        // The file is far below its own limit.
        #expect(log.lines(with: "the buffer is full") == [])
        for (reason, act) in [("new_rejected", "rejects new events"), ("oldest_dropped", "drops its oldest rows")]
        where report.drops.contains(where: { $0.reason == reason }) {
            #expect(!log.lines(with: "the disk is full, so the buffer \(act)").isEmpty, "\(log.lines)")
        }
    }
}

extension TickBuffer {
    /// Waits for an attempt to write and returns its error, if it fails.
    func flushError() async -> StoreError? {
        do throws(StoreError) {
            try await flush()
            return nil
        } catch {
            return error
        }
    }
}
