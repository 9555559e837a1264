import MarketData
import Testing

@testable import Feed

/// Two connections that work and confirm whatever they ask for, and a machine that decides for them.
private struct WishDriver {
    var machine: SetMachine
    private var now = Duration.zero
    private var asked: [Int: Set<Symbol>] = [:]

    /// The first connection is configured with the first two symbols, the second with the third.
    init(_ list: [Symbol], _ strategy: RoutingStrategy = .manual) {
        var configuration = SetConfiguration()
        configuration.strategy = strategy
        machine = SetMachine(configuration)
        for slot in 0...1 { machine.add(.init(slot: slot, priority: slot + 1, capacity: nil), now: .zero) }
        machine.configure(0, Array(list[..<2]))
        machine.configure(1, [list[2]])
        settle()
    }

    /// Lets the connections answer, and enough time pass for every move to end.
    mutating func settle() {
        for _ in 0..<6 {
            for slot in 0...1 {
                machine.observe(
                    slot, .init(isUp: true, standing: asked[slot] ?? [], isSettled: true, isQuiet: true), now: now)
            }
            for case .interest(let slot, .symbols(let symbols)) in machine.advance(now: now) {
                asked[slot] = Set(symbols)
            }
            now += .seconds(1)
        }
    }

    /// The connections that collect a symbol.
    func places(of symbol: Symbol) -> [Int] { asked.filter { $0.value.contains(symbol) }.keys.sorted() }

    mutating func remove(_ slot: Int) {
        machine.remove(slot, now: now)
        settle()
        asked[slot] = nil
    }

    mutating func add(_ slot: Int) { machine.add(.init(slot: slot, priority: slot + 1, capacity: nil), now: now) }

    /// Moves the second symbol from the first connection to the second.
    mutating func move(_ list: [Symbol]) -> [Rebalance.Move] {
        machine.weights = [list[0]: 4, list[1]: 2, list[2]: 0]
        let moves = machine.rebalance(isAsked: true)
        settle()
        return moves
    }
}

/// How long a symbol is wanted: who names it is one thing, where it was moved another.
@Suite(.timeLimit(.minutes(1))) struct WishTests {
    private let list = symbols(4)

    @Test func `a symbol that was moved is collected as long as the connection that names it does`() {
        var set = WishDriver(list)
        #expect(set.move(list) == [Rebalance.Move(symbol: list[1], from: 0, to: 1)])
        #expect(set.places(of: list[1]) == [1])
        set.machine.configure(1, [list[2], list[3]])
        set.settle()
        #expect(set.places(of: list[1]) == [1])
        set.machine.configure(0, [list[0]])
        set.settle()
        #expect(set.places(of: list[1]) == [] && set.machine.wishes[list[1]] == nil)
    }

    @Test func `a symbol that was moved goes back when it is given up there, or the connection goes`() {
        var set = WishDriver(list)
        _ = set.move(list)
        #expect(set.machine.unwant([list[1]], on: 1) == [list[1]])
        set.settle()
        #expect(set.places(of: list[1]) == [0])

        set = WishDriver(list)
        _ = set.move(list)
        set.remove(1)
        #expect(set.places(of: list[1]) == [0])
        set.machine.configure(0, [list[0]])
        set.settle()
        #expect(set.places(of: list[1]) == [] && set.places(of: list[2]) == [0])
    }

    @Test(arguments: RoutingStrategy.allCases)
    func `a symbol that the settings name outlives a subscription by hand on another connection`(
        strategy: RoutingStrategy
    ) {
        var set = WishDriver(list, strategy)
        set.machine.want([list[1]], on: 1, bound: true)
        set.settle()
        #expect(set.places(of: list[1]) == [1])
        // The settings may be read again meanwhile.
        set.machine.configure(0, [list[0], list[1], list[3]])
        set.settle()
        #expect(set.places(of: list[1]) == [1])
        #expect(set.machine.unwant([list[1]], on: 1) == [list[1]])
        set.settle()
        #expect(set.places(of: list[1]).count == 1)
        if strategy == .manual { #expect(set.places(of: list[1]) == [0]) }
        set.machine.configure(0, [list[0]])
        set.settle()
        #expect(set.places(of: list[1]) == [])
    }

    @Test func `a subscription by hand outlives its connection`() {
        var set = WishDriver(list)
        set.machine.want([list[1]], on: 1, bound: true)
        set.settle()
        set.remove(1)
        set.machine.configure(0, [list[0]])
        set.settle()
        #expect(set.places(of: list[1]) == [0])
    }

    @Test func `what is given up where the strategy had put it does not come back with the next list`() {
        var set = WishDriver(list, .roundRobin)
        // The first connection names it, and the second delivers it.
        #expect(set.places(of: list[1]) == [1])
        #expect(set.machine.unwant([list[1]], on: 1) == [list[1]])
        set.machine.configure(0, [list[0], list[1], list[3]])
        set.settle()
        #expect(set.places(of: list[1]) == [] && set.places(of: list[3]).count == 1)
    }

    @Test func `what was given up on a connection says nothing about the next one in its place`() {
        var set = WishDriver(list)
        #expect(set.machine.unwant([list[2]], on: 1) == [list[2]])
        set.remove(1)
        set.add(1)
        set.machine.configure(1, [list[2]])
        set.settle()
        #expect(set.places(of: list[2]) == [1])
    }
}
