import MarketData
import Testing

@testable import Collector

/// Who takes which symbol.
@Suite(.timeLimit(.minutes(1))) struct ShardMapTests {
    private static let symbols = (0..<2000).compactMap { Symbol("S\($0)") }

    private func owners(_ map: ShardMap) -> [Symbol: [String]] {
        Dictionary(uniqueKeysWithValues: Self.symbols.map { ($0, map.owners(of: $0)) })
    }

    @Test func `the hash is part of the protocol: it never changes`() {
        #expect(ShardMap.hash([]) == 0xEFD0_1F60_BA99_2926)
        let map = ShardMap(["nyc-1", "nyc-2", "nyc-3"], replicas: 2)
        let taken = ["AAPL", "MSFT", "NVDA", "BRK.B"].compactMap { Symbol($0) }.map { map.owners(of: $0) }
        #expect(
            taken == [["nyc-3", "nyc-2"], ["nyc-2", "nyc-1"], ["nyc-1", "nyc-3"], ["nyc-2", "nyc-1"]], "\(taken)")
    }

    @Test(arguments: 1...12) func `the members take about as many symbols each`(count: Int) {
        let map = ShardMap(count: count, replicas: 1)
        let taken = Dictionary(grouping: Self.symbols) { map.owners(of: $0)[0] }.mapValues(\.count)
        let fair = Double(Self.symbols.count) / Double(count)
        #expect(taken.count == count)
        for number in taken.values { #expect(abs(Double(number) - fair) < fair * 0.35, "\(taken)") }
    }

    @Test(arguments: [1, 2]) func `only symbols move that a member takes when it comes, or had when it goes`(
        replicas: Int
    ) {
        let without = owners(ShardMap(["a", "b", "c", "d"], replicas: replicas))
        let with = owners(ShardMap(["a", "b", "c", "d", "e"], replicas: replicas))
        for symbol in Self.symbols {
            let (before, after) = (without[symbol] ?? [], with[symbol] ?? [])
            if after.contains("e") {
                #expect(Set(after).subtracting(before) == ["e"])
            } else {
                #expect(before == after)
            }
        }
        let moved = Self.symbols.count { with[$0]?.contains("e") == true }
        #expect(abs(Double(moved) / Double(Self.symbols.count) - Double(replicas) / 5) < 0.06)
    }

    @Test func `replicas are on different boxes, and no more than there are boxes`() {
        let map = ShardMap(["a", "b", "c"], replicas: 2)
        for symbol in Self.symbols { #expect(Set(map.owners(of: symbol)).count == 2) }
        #expect(ShardMap(["a"], replicas: 2).owners(of: Self.symbols[0]) == ["a"])
        #expect(ShardMap([], replicas: 1).owners(of: Self.symbols[0]).isEmpty)
    }

    @Test(arguments: 1...6) func `with fewer replicas, the first owners have the symbol`(replicas: Int) {
        let every = owners(ShardMap(count: 5, replicas: 5))
        let few = owners(ShardMap(count: 5, replicas: replicas))
        for symbol in Self.symbols {
            #expect(Set(every[symbol] ?? []) == ["1", "2", "3", "4", "5"])
            #expect(few[symbol] == Array((every[symbol] ?? []).prefix(replicas)))
        }
    }

    @Test func `the order in which members are named changes nothing`() {
        #expect(owners(ShardMap(["b", "a", "c", "a"], replicas: 2)) == owners(ShardMap(["c", "b", "a"], replicas: 2)))
    }
}
