import Foundation
import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

/// Figures for a market of 5,000 stocks, 60 ETFs and 30 themes; printed, for a release build:
///
///     EDGETICK_TEST_SPEED=1 swift test -c release -Xswiftc -enable-testing --filter UniverseSpeedTests
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["EDGETICK_TEST_SPEED"] != nil))
struct UniverseSpeedTests {
    private static let symbols: [String] = {
        let letters = "ABCDEFGHIJKLMNOPQRST".map(String.init)
        return (0..<5000).map { (number: Int) -> String in
            letters[number / 400] + letters[number / 20 % 20] + letters[number % 20]
        }
    }()

    /// The market as files: what `edgetick universe import` would be given.
    private static func files() -> [UniverseImporter.File] {
        var random = SeededRandom(seed: 1)
        var files: [UniverseImporter.File] = []
        var all = "symbol,name,sector,industry\n"
        for (number, symbol) in symbols.enumerated() {
            all +=
                "\(symbol),Company \(number),\(SectorDerivation.sectorETFs[number % 11].sector),Industry \(number % 150)\n"
        }
        files.append(.init(name: "all.csv", bytes: Array(all.utf8)))
        for number in 0..<60 {
            var text = "Fund Name:,Fund \(number)\nTicker Symbol:,E\(number)F\n\nName,Ticker,Weight,Shares Held\n"
            for symbol in symbols.shuffled(using: &random).prefix(500) { text += "Company,\(symbol),0.2,\"1,000\"\n" }
            files.append(.init(name: "etf\(number).csv", bytes: Array(text.utf8)))
        }
        for (name, count) in [("large", 1500), ("middle", 1500), ("small", 1500)] {
            let list = symbols.shuffled(using: &random).prefix(count).joined(separator: "\n")
            files.append(.init(name: "\(name).csv", bytes: Array(list.utf8)))
        }
        return files
    }

    private static func rebuild(_ mirror: UniverseMirror, _ files: [UniverseImporter.File]) throws {
        var random = SeededRandom(seed: 2)
        var options = UniverseImporter.Options(environment: "DEFAULT")
        options.derivesSectors = true
        _ = try UniverseImporter(mirror: mirror).run(files, options)
        var themes = UniverseImporter.Options(environment: "DEFAULT")
        themes.type = .theme
        _ = try UniverseImporter(mirror: mirror).run(
            (0..<30).map { number in
                let list = symbols.shuffled(using: &random).prefix(40).joined(separator: "\n")
                return .init(name: "theme\(number).csv", bytes: Array(list.utf8))
            }, themes)
    }

    private func nanoseconds(_ body: () throws -> Void) rethrows -> Int {
        let start = ContinuousClock.now
        try body()
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    }

    private func say(_ what: String, _ times: [Int]) {
        let sorted = times.sorted()
        let p99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
        print("FIGURE \(what): median \(sorted[sorted.count / 2]) ns, p99 \(p99) ns, n \(sorted.count)")
    }

    private func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }

    @Test func `figures`() async throws {
        let workspace = try Workspace()
        let files = Self.files()
        var rebuilds: [Int] = []
        for round in 0..<5 {
            let directory = workspace.file("rebuild\(round)")
            let mirror = try UniverseMirror.open(directory: directory, access: .readWrite)
            rebuilds.append(try nanoseconds { try Self.rebuild(mirror, files) })
        }
        say("rebuild of everything from CSV", rebuilds)
        let mirror = try UniverseMirror.open(directory: workspace.file("rebuild0"), access: .readOnly)
        let context = UniverseValidation.Context(environment: "DEFAULT", now: 0)
        say(
            "validation",
            try (0..<5).map { _ in
                try nanoseconds { _ = UniverseValidation(try mirror.contents(), context).findings.count }
            })

        let before = residentBytes()
        let cache = RelationshipCache(mirror: mirror, options: .init(environment: "DEFAULT"))
        let count = try await cache.warmUp(universeKeys: ["all", "large:middle:small"])
        let statistics = cache.statistics
        print(
            "FIGURE cache: \(count) answers, \(statistics.bytes) bytes by its own count, "
                + "\(residentBytes() - before) bytes more resident")

        let resolver = UniverseResolver(mirror: mirror, environment: "DEFAULT")
        let union = try resolver.resolve("large:middle:small").symbols.count
        print("FIGURE the union of three has \(union) symbols")
        say(
            "join of three from the file",
            try (0..<500).map { _ in
                try nanoseconds { _ = try resolver.resolve("large:middle:small") }
            })
        var misses: [Int] = []
        for _ in 0..<500 {
            cache.invalidate(.key(.universe, "large:middle:small"))
            let start = ContinuousClock.now
            _ = try await cache.symbols(of: "large:middle:small")
            misses.append(Int((ContinuousClock.now - start) / .nanoseconds(1)))
        }
        say("cache miss, join of three", misses)

        var sum = 0
        let total = nanoseconds {
            for _ in 0..<1_000_000 { sum &+= cache.cachedSymbols(of: "large:middle:small")?.count ?? 0 }
        }
        print("FIGURE cache hit: \(Double(total) / 1e6) ns each, a million in a row (\(sum > 0))")
        say("cache hit, each timed", hits(cache, 200_000))
        let times = await withTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 { group.addTask { hits(cache, 100_000) } }
            group.addTask {
                for number in 0..<2000 { _ = try? await cache.classification(of: "X\(number)") }
                return []
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        say("cache hit, four readers and a writer", times)
    }

    private func hits(_ cache: RelationshipCache, _ count: Int) -> [Int] {
        (0..<count).map { _ in nanoseconds { _ = cache.cachedSymbols(of: "large:middle:small") } }
    }
}
