import MarketData
import Testing

@testable import Feed

/// `count` symbols, `A0` and so on.
func symbols(_ count: Int, _ prefix: String = "A") -> [Symbol] {
    (0..<count).compactMap { Symbol("\(prefix)\($0)") }
}

private func seats(_ count: Int, capacity: Int? = nil) -> [Router.Seat] {
    (0..<count).map { Router.Seat(slot: $0, priority: $0 + 1, capacity: capacity) }
}

private func wishes(_ symbols: [Symbol], on seats: SlotSet = []) -> [Router.Wish] {
    symbols.map { Router.Wish(symbol: $0, named: seats) }
}

extension [Symbol: SlotSet] {
    func count(on slot: Int) -> Int { values.count { $0.contains(slot) } }

    /// How many symbols are placed elsewhere than in `other`.
    func moved(from other: [Symbol: SlotSet]) -> Int { count { other[$0.key] != nil && other[$0.key] != $0.value } }
}

@Suite(.timeLimit(.minutes(3))) struct RouterTests {
    @Test func `manual leaves each symbol where it is configured`() {
        let router = Router(strategy: .manual, redundant: .none, seats: seats(3))
        let (a, b) = (symbols(3), symbols(2, "B"))
        let homes = router.homes(of: wishes(a, on: [0]) + wishes(b, on: [2]), previous: [:])
        #expect(a.allSatisfy { homes[$0] == [0] } && b.allSatisfy { homes[$0] == [2] })
    }

    @Test func `a symbol on two connections is taken once, and twice when redundancy names it`() {
        let list = symbols(4)
        let once = Router(strategy: .manual, redundant: .none, seats: seats(3))
        #expect(once.homes(of: wishes(list, on: [1, 2]), previous: [:]).values.allSatisfy { $0 == [1] })
        let some = Router(strategy: .manual, redundant: .some([list[0]]), seats: seats(3))
        let homes = some.homes(of: wishes(list, on: [1, 2]), previous: [:])
        #expect(homes[list[0]] == [1, 2] && homes[list[1]] == [1])
        let all = Router(strategy: .roundRobin, redundant: .all, seats: seats(3))
        let twice = all.homes(of: wishes(list), previous: [:])
        #expect(twice.values.allSatisfy { $0.count == 2 })
        let alone = Router(strategy: .roundRobin, redundant: .all, seats: seats(1))
        #expect(alone.homes(of: wishes(list), previous: [:]).values.allSatisfy { $0 == [0] })
    }

    @Test func `round-robin splits the union evenly`() {
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats(3))
        let homes = router.homes(of: wishes(symbols(100)), previous: [:])
        #expect((0..<3).map { homes.count(on: $0) } == [34, 33, 33])
    }

    @Test func `round-robin respects small capacities`() {
        var seats = seats(3)
        seats[1].capacity = 10
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats)
        let homes = router.homes(of: wishes(symbols(100)), previous: [:])
        #expect((0..<3).map { homes.count(on: $0) } == [45, 10, 45])
    }

    @Test func `a new connection takes its share and no symbol moves between the others`() {
        let two = Router(strategy: .roundRobin, redundant: .none, seats: seats(2))
        let before = two.homes(of: wishes(symbols(90)), previous: [:])
        let three = Router(strategy: .roundRobin, redundant: .none, seats: seats(3))
        let after = three.homes(of: wishes(symbols(90)), previous: before)
        #expect(after.moved(from: before) == 30)
        #expect(after.filter { before[$0.key] != $0.value }.values.allSatisfy { $0 == [2] })
    }

    @Test func `one symbol more or less moves at most one other`() {
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats(3))
        let list = symbols(100)
        let before = router.homes(of: wishes(list), previous: [:])
        let more = router.homes(of: wishes(list + symbols(1, "Z")), previous: before)
        #expect(more.moved(from: before) <= 1)
        let fewer = router.homes(of: wishes(Array(list.dropFirst())), previous: before)
        #expect(fewer.moved(from: before) <= 1)
    }

    @Test func `priority fills the first connection with the most important symbols`() {
        let router = Router(strategy: .priority, redundant: .none, seats: seats(3, capacity: 40))
        let list = symbols(100)
        let homes = router.homes(of: wishes(list), previous: [:])
        #expect((0..<3).map { homes.count(on: $0) } == [40, 40, 20])
        #expect(list.prefix(40).allSatisfy { homes[$0] == [0] })
    }

    @Test func `load-balanced evens out the weights`() {
        var weights: [Symbol: Double] = [:]
        let list = symbols(90)
        for (index, symbol) in list.enumerated() { weights[symbol] = Double(1 + index * index % 97) }
        let router = Router(strategy: .loadBalanced, redundant: .none, seats: seats(3), weights: weights)
        let homes = router.homes(of: wishes(list), previous: [:])
        let sums = (0..<3).map { slot in homes.reduce(0) { $1.value.contains(slot) ? $0 + weights[$1.key]! : $0 } }
        #expect(sums.max()! < 1.05 * sums.min()!)
    }

    @Test func `what no connection has room for is left out, the least important`() {
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats(2, capacity: 3))
        let list = symbols(8)
        let homes = router.homes(of: wishes(list), previous: [:])
        #expect(homes.count == 6 && list.prefix(6).allSatisfy { homes[$0] != nil })
    }

    @Test func `a failed connection's symbols go to the survivors and nothing else moves`() {
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats(3))
        let wanted = wishes(symbols(90))
        let homes = router.homes(of: wanted, previous: [:])
        let goals = router.goals(of: wanted, homes: homes, down: [1], ready: [0, 2], previous: homes)
        #expect((0..<3).map { goals.count(on: $0) } == [45, 0, 45])
        #expect(homes.filter { $0.value != [1] }.allSatisfy { goals[$0.key] == $0.value })
        let again = router.goals(of: wanted, homes: homes, down: [1], ready: [0, 2], previous: goals)
        #expect(again == goals)
        #expect(router.goals(of: wanted, homes: homes, down: [], ready: [0, 1, 2], previous: goals) == homes)
    }

    @Test func `when the survivors are full the most important go first and the rest stay`() {
        let router = Router(strategy: .roundRobin, redundant: .none, seats: seats(3, capacity: 35))
        let wanted = wishes(symbols(90))
        let homes = router.homes(of: wanted, previous: [:])
        let goals = router.goals(of: wanted, homes: homes, down: [1], ready: [0, 2], previous: homes)
        #expect((0..<3).map { goals.count(on: $0) } == [35, 20, 35])
        let displaced = wanted.map(\.symbol).filter { homes[$0] == [1] }
        #expect(
            displaced.prefix(10).allSatisfy { goals[$0] != [1] } && displaced.suffix(20).allSatisfy { goals[$0] == [1] }
        )
    }

    @Test func `the second copy of a redundant symbol goes to the third connection`() {
        let router = Router(strategy: .roundRobin, redundant: .all, seats: seats(3))
        let wanted = wishes(symbols(30))
        let homes = router.homes(of: wanted, previous: [:])
        let goals = router.goals(of: wanted, homes: homes, down: [0], ready: [1, 2], previous: homes)
        #expect(goals.values.allSatisfy { $0 == [1, 2] })
    }
}

@Suite(.timeLimit(.minutes(3))) struct FailoverTests {
    private func tick(_ failover: inout Failover, _ now: Duration) -> Bool { failover.tick(now: now) }

    private let rules = FailoverRules(grace: .seconds(10), recovery: .seconds(30))

    @Test func `a short break gives nothing away`() {
        var failover = Failover(rules)
        failover.add(0, now: .zero)
        failover.observe(0, isUp: true, now: .seconds(1))
        failover.observe(0, isUp: false, now: .seconds(100))
        #expect(failover.deadline == .seconds(110))
        #expect(!tick(&failover, .seconds(109)))
        failover.observe(0, isUp: true, now: .seconds(109))
        #expect(!tick(&failover, .seconds(200)) && failover.failed.isEmpty)
    }

    @Test func `a long break does, until a healthy period has passed`() {
        var failover = Failover(rules)
        failover.add(0, now: .zero)
        failover.observe(0, isUp: true, now: .seconds(1))
        failover.observe(0, isUp: false, now: .seconds(100))
        #expect(tick(&failover, .seconds(110)) && failover.failed == [0])
        failover.observe(0, isUp: true, now: .seconds(120))
        #expect(!tick(&failover, .seconds(149)) && failover.failed == [0])
        failover.observe(0, isUp: false, now: .seconds(149))
        failover.observe(0, isUp: true, now: .seconds(150))
        #expect(!tick(&failover, .seconds(179)) && failover.failed == [0])
        #expect(tick(&failover, .seconds(180)) && failover.failed.isEmpty)
    }

    @Test func `one that never comes up fails after the grace period`() {
        var failover = Failover(rules)
        failover.add(3, now: .seconds(5))
        #expect(tick(&failover, .seconds(15)) && failover.failed == [3])
    }

    @Test func `one that keeps breaking must stand longer each time`() {
        var failover = Failover(rules)
        failover.add(0, now: .zero)
        var now = Duration.zero
        var times: [Duration] = []
        for _ in 0..<7 {
            failover.observe(0, isUp: false, now: now)
            now += .seconds(10)
            _ = failover.tick(now: now)
            failover.observe(0, isUp: true, now: now)
            let up = now
            while !failover.failed.isEmpty {
                now += .seconds(1)
                _ = failover.tick(now: now)
            }
            times.append(now - up)
        }
        #expect(times == [30, 60, 120, 240, 480, 600, 600].map { .seconds($0) })
    }
}

@Suite(.timeLimit(.minutes(3))) struct RebalanceTests {
    @Test func `near rates are left alone`() {
        let list = symbols(4)
        let moves = Rebalance(factor: 1.5).moves(
            places: [0: [list[0], list[1]], 1: [list[2], list[3]]], room: [:],
            weights: [list[0]: 4, list[1]: 3, list[2]: 3, list[3]: 2])
        #expect(moves.isEmpty)
    }

    @Test func `the busiest gives to the idlest until they are near, with few moves`() {
        let list = symbols(60)
        let weights = Dictionary(uniqueKeysWithValues: list.map { ($0, 1.0) })
        let rebalance = Rebalance(factor: 1.5)
        let moves = rebalance.moves(
            places: [0: Array(list[..<40]), 1: Array(list[40..<50]), 2: Array(list[50...])], room: [:], weights: weights
        )
        var counts = [40, 10, 10]
        for move in moves {
            counts[move.from] -= 1
            counts[move.to] += 1
        }
        #expect(moves.allSatisfy { $0.from == 0 } && moves.count <= 20)
        #expect(Double(counts.max()!) <= 1.5 * Double(counts.min()!))
        #expect(Set(moves.map(\.symbol)).count == moves.count)
    }

    @Test func `one symbol that outweighs all stays, and full connections get nothing`() {
        let list = symbols(3)
        let weights = [list[0]: 100.0, list[1]: 1, list[2]: 1]
        let moves = Rebalance().moves(places: [0: [list[0]], 1: [list[1], list[2]]], room: [:], weights: weights)
        #expect(moves.isEmpty)
        let heavy = [list[0]: 10.0, list[1]: 10, list[2]: 1]
        let full = Rebalance().moves(places: [0: [list[0], list[1]], 1: [list[2]]], room: [1: 0], weights: heavy)
        #expect(full.isEmpty)
    }
}
