import MarketData
import Testing

@testable import Feed

/// A machine whose connections answer when a test says so.
private struct SetDriver {
    var machine: SetMachine
    var now = Duration.zero
    var asked: [Int: Interest] = [:]
    /// The connections that may deliver a symbol, if there are several.
    var shared: [Symbol: SetMachine.Sharing] = [:]
    var stopped: [Int] = []

    /// Connection 0 takes everything if `takesAll`, and connection 1 is configured with some symbols.
    init(_ symbols: [Symbol], redundant: RedundantSymbols = .none, takesAll: Bool = true) {
        var configuration = SetConfiguration()
        configuration.redundant = redundant
        machine = SetMachine(configuration)
        for slot in 0...1 { machine.add(.init(slot: slot, priority: slot + 1, capacity: nil), now: .zero) }
        machine.configure(0, [], takesAll: takesAll)
        machine.configure(1, symbols)
        perform()
        answer(0, 1)
    }

    mutating func perform(after time: Duration = .zero) {
        now += time
        for action in machine.advance(now: now) {
            switch action {
            case .share(let sharings):
                for sharing in sharings { shared[sharing.symbol] = sharing.slots.count > 1 ? sharing : nil }
            case .interest(let slot, let interest): asked[slot] = interest
            case .stop(let slot): stopped.append(slot)
            }
        }
    }

    /// The feed confirms everything that the connections ask for.
    mutating func answer(_ slots: Int...) {
        for slot in slots {
            var standing: [Symbol] = []
            if case .symbols(let list) = asked[slot] { standing = list }
            machine.observe(
                slot,
                .init(
                    isUp: true, standing: Set(standing), isSettled: true, isQuiet: true, standsAll: asked[slot] == .all),
                now: now)
        }
        perform()
    }

    /// The feed refuses everything to a connection that asks for everything.
    mutating func refuse(_ slot: Int) {
        machine.observe(slot, .init(isUp: true, standing: [], isSettled: true, isQuiet: true), now: now)
        perform()
    }

    mutating func lose(_ slot: Int) {
        machine.observe(slot, .init(isUp: false, standing: [], isSettled: false, isQuiet: true), now: now)
        perform()
    }
}

@Suite(.timeLimit(.minutes(3))) struct WildcardTests {
    private let list = symbols(2)

    @Test func `symbols that go back to a wildcard are shared until their other place is given up`() {
        var set = SetDriver(list)
        #expect(set.asked[0] == .all && set.asked[1] == nil)
        set.lose(0)
        set.perform(after: .seconds(10))
        #expect(set.asked[1] == .symbols(list))
        set.answer(1)
        set.answer(0)
        set.perform(after: .seconds(29))
        #expect(set.asked[1] == .symbols(list))
        set.perform(after: .seconds(1))
        #expect(set.asked[1] == .symbols([]))
        #expect(list.allSatisfy { set.shared[$0] == .init(symbol: $0, slots: [0, 1]) })
        set.answer(1)
        set.perform(after: .seconds(5))
        #expect(set.shared[list[0]] == .init(symbol: list[0], slots: [0, 1], ended: [1]))
        set.perform(after: .seconds(120))
        #expect(set.shared.isEmpty)
    }

    @Test func `a symbol that is no longer wanted is shared with the wildcard until its place is given up`() {
        var set = SetDriver(list, redundant: .all)
        #expect(set.asked[1] == .symbols(list) && set.shared.count == 2)
        set.machine.unwant([list[0]], on: nil)
        set.perform()
        #expect(set.asked[1] == .symbols([list[1]]))
        #expect(set.shared[list[0]]?.slots == [0, 1])
    }

    @Test func `a wildcard that is removed stops when its symbols stand elsewhere`() {
        var set = SetDriver(list)
        set.machine.remove(0, now: set.now)
        set.perform()
        #expect(set.asked == [0: .all, 1: .symbols(list)] && set.stopped.isEmpty)
        #expect(set.shared[list[0]]?.slots == [0, 1])
        set.perform(after: .seconds(1))
        set.answer(1)
        #expect(set.asked[0] == .all)
        set.perform(after: .milliseconds(500))
        #expect(set.asked[0] == .symbols([]) && set.stopped.isEmpty)
        set.answer(0)
        #expect(set.stopped == [0])
        #expect(set.shared[list[0]]?.slots == [0, 1])
        set.perform(after: .seconds(5))
        #expect(set.shared[list[0]]?.ended == [0])
        set.perform(after: .seconds(120))
        #expect(set.shared.isEmpty)
    }

    @Test func `a wildcard that is removed while the others are down stops after the patience`() {
        var set = SetDriver(list)
        set.lose(1)
        set.machine.remove(0, now: set.now)
        set.perform(after: .seconds(29))
        #expect(set.asked[0] == .all && set.stopped.isEmpty)
        set.perform(after: .seconds(1))
        #expect(set.stopped == [0])
        #expect(set.machine.placed == [list[0]: [1], list[1]: [1]])
    }

    @Test func `symbols are given up for a wildcard when it stands`() {
        var set = SetDriver(list, takesAll: false)
        set.machine.configure(0, [], takesAll: true)
        set.perform()
        #expect(set.asked == [0: .all, 1: .symbols(list)])
        #expect(set.shared[list[0]]?.slots == [0, 1])
        set.perform(after: .seconds(1))
        #expect(set.asked[1] == .symbols(list))
        set.answer(0)
        #expect(set.asked[1] == .symbols(list))
        set.perform(after: .milliseconds(500))
        #expect(set.asked[1] == .symbols([]))
    }

    @Test func `symbols stay where they are while the feed refuses the wildcard`() {
        var set = SetDriver(list, takesAll: false)
        set.machine.configure(0, [], takesAll: true)
        set.perform()
        set.refuse(0)
        set.perform(after: .seconds(60))
        #expect(set.asked[1] == .symbols(list))
    }

    @Test func `a wildcard asks for less when what it leaves stands elsewhere`() {
        var set = SetDriver(list)
        let own = symbols(1, "B")
        set.machine.configure(0, own)
        set.perform()
        #expect(set.asked == [0: .all, 1: .symbols(list)])
        set.answer(1)
        #expect(set.asked[0] == .all)
        set.perform(after: .milliseconds(500))
        #expect(set.asked[0] == .symbols(own))
        #expect(set.shared[list[0]]?.slots == [0, 1] && set.shared[own[0]] == nil)
    }

    @Test func `a wildcard waits for the last of its symbols, and nothing is due meanwhile`() {
        var set = SetDriver(list)
        set.machine.configure(0, symbols(1, "B"))
        set.perform()
        set.machine.observe(1, .init(isUp: true, standing: [list[0]], isSettled: false, isQuiet: true), now: set.now)
        set.perform()
        set.perform(after: .milliseconds(500))
        #expect(set.asked[0] == .all && set.machine.deadline == nil)
        set.answer(1)
        #expect(set.machine.deadline == set.now + .milliseconds(500))
        set.perform(after: .milliseconds(500))
        #expect(set.asked[0] != .all)
    }

    @Test func `a symbol that comes by a wildcard when it is wanted elsewhere goes on coming`() {
        var set = SetDriver(list)
        let late = symbols(2, "B")
        set.machine.remove(0, now: set.now)
        set.perform()
        set.machine.want([late[0]], on: 1)
        set.answer(1)
        set.perform(after: .milliseconds(500))
        #expect(set.asked == [0: .all, 1: .symbols(list + [late[0]])])
        set.answer(1)
        set.perform(after: .milliseconds(500))
        #expect(set.asked[0] == .symbols([]))
        // The feed has not answered that yet.
        set.machine.want([late[1]], on: 1)
        set.perform()
        #expect(set.shared[late[1]]?.slots == [0, 1] && set.stopped.isEmpty)
    }
}
