import Foundation
import MarketData
import Store
import Universe

/// Measures the universe mirror and cache for a market of 5,000 stocks, 60 ETFs and 30 themes; returns figures by name.
///
/// `hit`, `hit-p99` and `lookup` are in nanoseconds, `miss-p99` and `join-p99` in microseconds, `rebuild` and
/// `validate` in milliseconds, `memory` in bytes.
func universeFigures(directory: String) async throws -> [(name: String, value: Double)] {
    let market = Market()
    let mirror = try UniverseMirror.open(directory: directory, access: .readWrite)
    let rebuild = try milliseconds { try market.write(to: mirror) }
    let context = UniverseValidation.Context(environment: "DEFAULT", now: 0)
    let validate = try milliseconds { _ = UniverseValidation(try mirror.contents(), context).findings.count }

    let before = residentBytes()
    let cache = RelationshipCache(mirror: mirror, environment: "DEFAULT")
    try await cache.warmUp()
    for key in ["all", Market.join] { _ = try await cache.resolution(of: key) }
    let memory = residentBytes() - before

    func resolve() throws -> Resolution {
        try mirror.withSnapshot { try UniverseResolver.resolve(Market.join, in: $0, environment: "DEFAULT") }.get()
    }
    let joins = try (0..<300).map { _ in try milliseconds { _ = try resolve() } * 1000 }
    var misses: [Double] = []
    for _ in 0..<300 {
        cache.invalidate(.key(.universe, Market.join))
        let start = ContinuousClock.now
        _ = try await cache.resolution(of: Market.join)
        misses.append((ContinuousClock.now - start) / .microseconds(1))
    }

    let count = 1_000_000
    var sum = 0
    let start = ContinuousClock.now
    for _ in 0..<count { sum &+= try await cache.resolution(of: Market.join).symbols.count }
    let hits = (ContinuousClock.now - start) / .milliseconds(1)
    var each: [Double] = []
    for _ in 0..<200_000 {
        let start = ContinuousClock.now
        sum &+= try await cache.resolution(of: Market.join).symbols.count
        each.append((ContinuousClock.now - start) / .nanoseconds(1))
    }
    let plain = [Market.join: try await cache.resolution(of: Market.join).symbols]
    let lookups = milliseconds { for _ in 0..<count { sum &+= plain[Market.join]?.count ?? 0 } }
    guard sum > 0 else { throw NothingFound() }
    return [
        ("hit", hits * 1e6 / Double(count)), ("hit-p99", p99(each)), ("lookup", lookups * 1e6 / Double(count)),
        ("miss-p99", p99(misses)), ("join-p99", p99(joins)), ("rebuild", rebuild), ("validate", validate),
        ("memory", Double(memory)),
    ]
}

private struct NothingFound: Error {}

/// The market as files, in the form that `edgetick universe import` takes.
private struct Market {
    /// A key of three groups; the union has about 3,300 symbols.
    static let join = "large:middle:small"

    private let holdings: [UniverseImporter.File]
    private let themes: [UniverseImporter.File]

    init() {
        let letters = "ABCDEFGHIJKLMNOPQRST".map(String.init)
        let symbols = (0..<5000).map { (number: Int) -> String in
            letters[number / 400] + letters[number / 20 % 20] + letters[number % 20]
        }
        /// Returns `count` symbols spread over the market, a different selection for each `number`.
        func some(_ count: Int, _ number: Int) -> [String] {
            (0..<count).map { symbols[($0 * 1009 + number * 613) % symbols.count] }
        }
        func file(_ name: String, _ lines: [String]) -> UniverseImporter.File {
            .init(name: name, bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        let sectors = SectorDerivation.sectorETFs.map(\.sector)
        var holdings = [
            file(
                "all.csv",
                ["symbol,name,sector,industry"]
                    + symbols.enumerated().map { "\($1),Company \($0),\(sectors[$0 % 11]),Industry \($0 % 150)" })
        ]
        for (number, name) in ["large", "middle", "small"].enumerated() {
            holdings.append(file("\(name).csv", some(1500, number * 977)))
        }
        for number in 0..<60 {
            let head = ["Fund Name:,Fund \(number)", "Ticker Symbol:,E\(number)F", "Name,Ticker,Weight,Shares Held"]
            holdings.append(file("\(number).csv", head + some(500, number).map { "Company,\($0),0.2,\"1,000\"" }))
        }
        self.holdings = holdings
        themes = (0..<30).map { file("theme\($0).csv", some(40, $0)) }
    }

    func write(to mirror: UniverseMirror) throws {
        let importer = UniverseImporter(mirror: mirror)
        var options = UniverseImporter.Options(environment: "DEFAULT")
        options.derivesSectors = true
        _ = try importer.run(holdings, options)
        options.derivesSectors = false
        options.type = .theme
        _ = try importer.run(themes, options)
    }
}

private func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .milliseconds(1)
}

private func p99(_ values: [Double]) -> Double { values.sorted()[values.count * 99 / 100] }

private func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
}
