import Foundation
import Glibc
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// kill -9 at any time: every row that was reported durable is there afterwards, once, and no row is wrong.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct CrashTests {
    @Test(arguments: [5, 23, 61, 142]) func `a kill in mid-write loses no durable row`(milliseconds: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, milliseconds = milliseconds as Int] in
            var options = TickBuffer.Options(collector: "child", commitInterval: .fixed(.milliseconds(1)))
            options.queueBytes = 4 << 20
            let buffer = try TickBuffer.open(directory: path, options: options, logger: Logger(label: "child"))
            let report = open(path + "/durable", O_WRONLY | O_CREAT | O_APPEND, 0o600)
            var next = 0
            let end = ContinuousClock.now + .milliseconds(milliseconds)
            while true {
                // The payload follows from the number, so that every row can be checked.
                if buffer.offer(.bars(97, from: next)) != .refused { next += 97 }
                if ContinuousClock.now > end { kill(getpid(), SIGKILL) }
                let durable = "\(buffer.statistics[.bars].marks.last)\n"
                _ = durable.withCString { write(report, $0, strlen($0)) }
            }
        }
        let reported = try String(contentsOfFile: scratch.path + "/durable", encoding: .utf8)
            .split(separator: "\n").compactMap { Int64($0) }
        let buffer = try scratch.open()
        let last = buffer.statistics[.bars].marks.last
        #expect(last >= reported.last ?? 0)
        #expect(last % 97 == 0)
        #expect(buffer.statistics.setAside == [])
        var after: Int64 = 0
        while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 5000) {
            for row in batch.bars {
                after += 1
                let isRight = row.sequence == after && row.event.volume == Double(after - 1)
                guard isRight else {
                    Issue.record("row \(row.sequence) where \(after) was expected")
                    return
                }
            }
        }
        #expect(after == last)
        try await buffer.collect(.bars(1))
        #expect(buffer.statistics[.bars].marks.last == last + 1)
        await buffer.close()
    }

    @Test func `a log torn at any length keeps a prefix of whole batches`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for round in 0..<20 {
            _ = buffer.offer(.bars(50, from: round * 50))
            try await buffer.flush()
        }
        let image = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let log = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks + "-wal"))
        await buffer.close()
        #expect(log.count > 100_000)
        var seen: Set<Int64> = []
        for step in 0...24 {
            let torn = try Scratch()
            try image.write(to: URL(fileURLWithPath: torn.ticks))
            var cut = log.prefix(log.count * step / 24)
            if step % 2 == 1, cut.count > 5000 { cut[cut.startIndex + cut.count - 3000] ^= 0x10 }
            try Data(cut).write(to: URL(fileURLWithPath: torn.ticks + "-wal"))
            let opened = try torn.open()
            let last = opened.statistics[.bars].marks.last
            seen.insert(last)
            #expect(last % 50 == 0)
            let batch = try await opened.nextBatch(of: .bars, limit: 5000)
            #expect(Int64(batch?.count ?? 0) == last)
            #expect(batch?.bars.map(\.event.volume) == (last > 0 ? (0..<last).map(Double.init) : nil))
            try await opened.collect(.bars(1))
            await opened.close()
        }
        #expect(seen.count > 10)
        #expect(seen.contains(1000))
    }
}
