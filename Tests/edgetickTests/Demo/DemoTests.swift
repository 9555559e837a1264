import Foundation
import MarketData
import TestSupport
import Testing

@testable import Store
@testable import edgetick

/// When the demo breaks what, and what it says about the events at the end.
@Suite(.timeLimit(.minutes(1))) struct DemoTests {
    private func acts(_ limit: Duration?, hasDatabase: Bool) -> [(Duration, DemoScript.Act)] {
        var script = DemoScript(limit: limit, hasDatabase: hasDatabase)
        var acts: [(Duration, DemoScript.Act)] = []
        for tenth in 0..<600 {
            while let act = script.next(after: .milliseconds(100) * tenth) {
                acts.append((.milliseconds(100) * tenth, act))
            }
        }
        return acts
    }

    @Test(arguments: [nil, .seconds(5), .seconds(30), .seconds(500)] as [Duration?])
    func `everything that is broken is whole again before the end`(limit: Duration?) {
        let acts = acts(limit, hasDatabase: true)
        #expect(acts.map(\.1) == [.cutFeed, .killCollector, .startCollector, .stopDatabase, .startDatabase])
        #expect(acts.allSatisfy { $0.0 < min(limit ?? .seconds(30), .seconds(30)) * 0.8 })
    }

    @Test func `a demo without a database stops none`() {
        #expect(acts(nil, hasDatabase: false).map(\.1) == [.cutFeed, .killCollector, .startCollector])
    }

    private func balance(
        sent: Int = 100, events: Int, rows: Int? = nil, missingInGaps: Int = 0, upstream: (Int, Int)?
    ) -> DemoBalance {
        let trades = BufferAudit.Stream(
            rows: rows ?? events, events: events, missing: missingInGaps, missingInGaps: missingInGaps)
        return DemoBalance(
            sent: [.trade: sent], audit: BufferAudit(streams: [.trades: trades]),
            upstream: upstream.map { [.trades: (rows: $0.0, events: $0.1)] })
    }

    @Test func `sent, durable and uploaded alike is the promise kept`() {
        let balance = balance(events: 100, upstream: (100, 100))
        #expect(balance.isKept)
        #expect(balance.text.hasSuffix("trades   100      100         0       100        0     0\n"), "\(balance.text)")
    }

    @Test func `what a recorded gap covers is neither durable nor lost`() {
        let balance = balance(events: 97, missingInGaps: 3, upstream: (97, 97))
        #expect(balance.isKept)
        #expect(balance.lines.first { $0.stream == .trades }?.inGaps == 3)
        #expect(balance.text.contains("In a gap: "))
    }

    @Test func `what no gap covers is lost, and so is what is durable and not in the database`() {
        #expect(balance(events: 97, missingInGaps: 1, upstream: nil).lines.first { $0.stream == .trades }?.lost == 2)
        #expect(balance(events: 100, upstream: (99, 99)).lines.first { $0.stream == .trades }?.lost == 1)
        #expect(!balance(events: 97, missingInGaps: 1, upstream: nil).isKept)
    }

    @Test func `a second copy counts, in the file and in the database`() {
        #expect(balance(events: 100, rows: 101, upstream: nil).lines.first { $0.stream == .trades }?.doubled == 1)
        #expect(balance(events: 100, upstream: (102, 100)).lines.first { $0.stream == .trades }?.doubled == 2)
        #expect(!balance(events: 100, upstream: (102, 100)).isKept)
    }

    @Test func `the live line begins with the feed, and leaves out what there is none of`() {
        let line = DemoLine(
            elapsed: .seconds(6), isConnected: false, rows: [(.bars, 1234), (.trades, 9), (.quotes, 0)], uploaded: 7)
        #expect(line.text == "  6 s  disconnected  7 uploaded  1,234 bars  9 trades")
        let many = DemoLine(
            elapsed: .seconds(9999), isConnected: true, rows: EventStream.allCases.map { ($0, 123_456_789) },
            uploaded: 987_654_321)
        #expect(many.text.count > 100 && many.text.cut(to: 59).count == 59)
    }

    @Test func `a directory with anything in it is not the demo's`() throws {
        let place = try Workspace()
        let kept = try place.write("real", to: "ticks.sqlite")
        #expect(throws: CommandFailure.self) { _ = try DemoDirectory(named: place.path) }
        #expect(FileManager.default.fileExists(atPath: kept))
    }

    @Test func `what came to nothing leaves nothing behind`() throws {
        let place = try Workspace()
        try FileManager.default.createDirectory(atPath: place.file("old"), withIntermediateDirectories: false)
        for (name, stays) in [("new", false), ("old", true)] {
            let path = place.file(name)
            let directory = try DemoDirectory(named: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            _ = try place.write("x", to: name + "/universe.sqlite")
            directory.clear()
            #expect(FileManager.default.fileExists(atPath: path) == stays)
            if stays { #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty) }
        }
    }
}
