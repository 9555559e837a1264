import Feed
import MarketData
import Store
import TestSupport
import Testing
import Universe

@testable import Collector

/// How wishes and resolutions become interests.
@Suite(.timeLimit(.minutes(2))) struct SymbolPlanTests {
    /// What keys resolve to in a mirror with these groups.
    private func resolutions(
        _ groups: [String: [String]], _ keys: String...
    ) async throws -> SymbolPlan.Resolutions {
        let workspace = try Workspace()
        let mirror = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
        for (name, members) in groups {
            try mirror.apply([
                GroupChange(
                    definition: .init(name: name, type: .universe), members: members.map { MemberRecord(symbol: $0) })
            ])
        }
        return await RelationshipCache(mirror: mirror, environment: "DEFAULT").resolutions(of: keys)
    }

    private func plan(_ wishes: [SymbolWish], _ resolutions: SymbolPlan.Resolutions = [:]) throws -> SymbolPlan {
        var plan = SymbolPlan()
        for wish in wishes { try plan.add(wish, resolutions) }
        return plan
    }

    @Test func `only connections whose symbols differ are told, and just the difference is`() async throws {
        var plan = try plan(
            [wish("one", "a"), wish("two", "b")], try await resolutions(["a": ["A"], "b": ["B", "C"]], "a", "b"))
        let step = plan.decide(try await resolutions(["a": ["A"], "b": ["C", "D"]], "a", "b"))
        #expect(step.changes.map(\.name) == ["two"] && step.remarks.isEmpty)
        #expect(step.changes.first?.interest == .symbols(symbols("C", "D")))
        #expect(step.changes.first?.sample == "+D -B")
    }

    @Test func `a connection all of whose symbols others bring is named with these`() throws {
        func list(_ name: String, _ list: String) -> SymbolWish {
            SymbolWish(connection: name, name: name, universeKey: nil, list: list, fallback: .nothing)
        }
        let plan = try plan([list("one", "A,B"), list("two", "C,D"), list("three", "D,A"), list("four", "A,E")])
        let covered = plan.covered { _ in 1 }
        #expect(covered.map(\.assignment.wish.name) == ["three"])
        #expect(covered.first?.by == ["one", "two"])
        // Of connections that name the same symbol, the first in rank delivers it.
        let ranked = plan.covered { $0 == "three" ? 1 : $0 == "four" ? 0 : 2 }
        #expect(ranked.isEmpty)
    }

    @Test func `the default list that nobody chose stays when groups change`() throws {
        let single = SymbolWish(connection: "one", name: "one", universeKey: nil, list: nil, fallback: .defaultList)
        var plan = try plan([single])
        let before = plan.inForce
        #expect(before[0].source == .defaultList && before[0].problem != nil)
        #expect(plan.decide([:]) == SymbolPlan.Step())
        #expect(plan.inForce == before)
    }

    @Test func `a key that nobody could resolve is shown as unresolved, with what is in force instead`() async throws {
        let none = try await resolutions(["a": ["A"]], "tehc")
        var plan = try plan([wish("one", "tehc"), wish("two", "tehc", list: "X"), wish("three", nil, list: "Y")], none)
        #expect(plan.inForce.map(\.source) == [.defaultList, .list, .list])
        #expect(plan.inForce[0].problem?.contains("\"tehc\"") == true)
        #expect(plan.inForce[1].problem?.contains("\"tehc\"") == true && plan.inForce[2].problem == nil)
        #expect(plan.inForce[0].wish.universeKey == "tehc")
        // The default list is used only at a start; it doesn't replace symbols that were resolved.
        _ = plan.decide(try await resolutions(["tehc": ["T"]], "tehc"))
        #expect(plan.inForce[0].source == .universeKey("tehc") && plan.inForce[0].problem == nil)
        let step = plan.decide(none)
        #expect(plan.inForce[0].interest == .symbols(symbols("T")) && plan.inForce[0].problem != nil)
        #expect(step.changes.map(\.name) == ["two"], "its list takes over")
        #expect(plan.decide(none).remarks.isEmpty, "the same problem is told once")
    }

    @Test func `a key of which a part is unknown has a problem, and collects the others`() async throws {
        let plan = try plan([wish("one", "a:nope")], try await resolutions(["a": ["A"]], "a:nope"))
        #expect(plan.inForce[0].interest == .symbols(symbols("A")))
        #expect(plan.inForce[0].problem?.contains("\"nope\"") == true)
    }

    @Test
    func `a part of a key that has had no members since the start is no problem, and nothing is overdue once it has`()
        async throws
    {
        var plan = try plan([wish("one", "a:b")], try await resolutions(["a": ["A"], "b": []], "a:b"))
        #expect(plan.inForce[0].interest == .symbols(symbols("A")) && plan.inForce[0].problem == nil)
        let step = plan.decide(try await resolutions(["a": ["A"], "b": ["B"]], "a:b"))
        #expect(plan.inForce[0].interest == .symbols(symbols("A", "B")) && plan.inForce[0].problem == nil)
        #expect(step.changes.map(\.isOverdue) == [false])
    }

    @Test func `a part of a key whose group is gone or emptied takes no symbol away until it names some again`()
        async throws
    {
        let less: [[String: [String]]] = [["a": ["A", "X"]], ["a": ["A", "X"], "b": []]]
        for groups in less {
            var plan = try plan(
                [wish("one", "a:b", list: "Z")], try await resolutions(["a": ["A"], "b": ["B", "C"]], "a:b"))
            for round in 1...2 {
                let step = plan.decide(try await resolutions(groups, "a:b"))
                #expect(plan.inForce[0].interest == .symbols(symbols("A", "B", "C", "X")))
                #expect(plan.inForce[0].problem?.contains("\"b\"") == true)
                #expect(plan.inForce[0].problem?.hasSuffix("; the symbols in force stay") == true)
                #expect(step.remarks.isEmpty == (round == 2), "what is kept is reported once")
            }
            _ = plan.decide(try await resolutions(["a": ["A"], "b": ["B"]], "a:b"))
            #expect(plan.inForce[0].interest == .symbols(symbols("A", "B")) && plan.inForce[0].problem == nil)
        }
    }

    @Test func `another key keeps none of the symbols that the key before it named`() async throws {
        var plan = try plan([wish("one", "a:b")], try await resolutions(["a": ["A"], "b": ["B"]], "a:b"))
        _ = plan.adopt([wish("one", "a:nope")])
        _ = plan.decide(try await resolutions(["a": ["A"], "b": ["B"]], "a:nope"))
        #expect(plan.inForce[0].interest == .symbols(symbols("A")))
    }

    @Test func `a list that has replaced a key is followed while the key can't be resolved`() async throws {
        let none = try await resolutions([:], "a")
        var plan = try plan([wish("one", "a", list: "X,Y")], try await resolutions(["a": ["A"]], "a"))
        _ = plan.decide(none)
        #expect(plan.inForce[0].interest == .symbols(symbols("X", "Y")))
        _ = plan.adopt([wish("one", "a", list: "X")])
        _ = plan.decide(none)
        #expect(plan.inForce[0].interest == .symbols(symbols("X")))
    }

    @Test func `a connection that replaces several has a problem until the settings no longer say so`() async throws {
        let known = try await resolutions(["a": ["A"]], "a")
        var single = wish("one", "a")
        single.replacesBecause = "none of the others had symbols"
        var plan = try plan([single], known)
        #expect(plan.inForce[0].interest == .symbols(symbols("A")))
        #expect(plan.inForce[0].problem == "none of the others had symbols")
        #expect(plan.decide(known).remarks.isEmpty)
        #expect(plan.inForce[0].problem == "none of the others had symbols")
        _ = plan.adopt([wish("one", "a")])
        _ = plan.decide(known)
        #expect(plan.inForce[0].problem == nil)
    }

    @Test func `an entry of the list that is no symbol is a problem until the settings no longer have it`() throws {
        var plan = try plan([wish("one", nil, list: "AAPL,A*PL")])
        #expect(plan.inForce[0].interest == .symbols(symbols("AAPL")))
        #expect(plan.inForce[0].problem?.hasSuffix("\"A*PL\"") == true, "\(plan.inForce[0].problem ?? "")")
        _ = plan.adopt([wish("one", nil, list: "AAPL")])
        _ = plan.decide([:])
        #expect(plan.inForce[0].problem == nil)
    }

    @Test func `members that the feed has no symbol for are named as long as the key has them`() async throws {
        var plan = try plan([wish("one", "a")], try await resolutions(["a": ["A", "GLEN LN"]], "a"))
        #expect(plan.inForce[0].problem == nil && plan.inForce[0].leftOut?.contains("\"GLEN LN\" of \"a\"") == true)
        _ = plan.decide(try await resolutions(["a": ["A"]], "a"))
        #expect(plan.inForce[0].leftOut == nil)
    }

    @Test func `what a part of a key names for the first time since the start is overdue, what it gains later is not`()
        async throws
    {
        let none = try await resolutions([:], "a:b")
        var api = wish("two", "a:b", list: "Z")
        api.origin = .api
        var plan = try plan([wish("one", "a:b", list: "Z"), api], none)
        #expect(plan.decide(none).changes.isEmpty)
        let rounds: [(groups: [String: [String]], isChange: Bool, overdue: [String])] = [
            (["a": ["A"]], true, ["one"]),
            (["a": ["A", "X"]], true, []),
            (["a": ["A", "X"], "b": ["B"]], true, ["one"]),
            (["a": ["A", "X"]], false, []),
            (["a": ["A", "X"], "b": ["B", "Y"]], true, []),
        ]
        for (groups, isChange, overdue) in rounds {
            let step = plan.decide(try await resolutions(groups, "a:b"))
            #expect(step.changes.map(\.name) == (isChange ? ["one", "two"] : []))
            #expect(step.changes.filter(\.isOverdue).map(\.name) == overdue, "\(groups)")
        }
    }

    @Test func `what another key names after the settings were read again is not overdue`() async throws {
        var plan = try plan([wish("one", "a", list: "Z")], try await resolutions([:], "a"))
        _ = plan.adopt([wish("one", "b", list: "Z")])
        let step = plan.decide(try await resolutions(["b": ["B"]], "b"))
        #expect(step.changes.map(\.isOverdue) == [false])
    }

    @Test func `a refusal refuses, and leaves the plan as it was`() async throws {
        let none = try await resolutions([:], "nope")
        var plan = SymbolPlan()
        #expect(throws: UniverseError.self) { try plan.add(wish("one", "nope", fallback: .refusal), none) }
        #expect(plan.inForce.isEmpty)
    }

    @Test func `one connection is enough for every symbol, and when it goes another takes its place`() throws {
        var plan = try plan([wish("one", nil, list: "*"), wish("two", nil, list: "*"), wish("three", nil, list: "A")])
        #expect(plan.inForce.map(\.interest) == [.all, .symbols([]), .symbols(symbols("A"))])
        #expect(plan.taker(of: nil)?.name == "one" && plan.taker(of: "connection_three") == nil)
        let step = plan.remove("connection_one") { _ in false }
        #expect(step.changes.map(\.name) == ["two"] && step.changes.first?.interest == .all)
    }

    @Test func `settings that are read again reach the settings' connections alone, and keep their names`() throws {
        var api = wish("two", nil, list: "B")
        api.origin = .api
        var plan = try plan([wish("one", nil, list: "A"), api, wish("three", nil, list: "C")])
        var renamed = wish("one", nil, list: "Z")
        renamed.name = "another"
        let (new, gone) = plan.adopt([renamed, wish("two", nil, list: "Y"), wish("four", nil, list: "D")])
        #expect(new == ["four"] && gone == ["three"])
        let step = plan.decide([:])
        #expect(step.changes.map(\.name) == ["one"] && step.changes[0].interest == .symbols(symbols("Z")))
        #expect(plan.inForce[1].interest == .symbols(symbols("B")))
    }

    @Test func `a connection whose key isn't among the answers is left alone`() async throws {
        let known = try await resolutions(["a": ["A"]], "a")
        var plan = try plan([wish("one", "a")], known)
        plan.decide([:]).expectNothing()
        #expect(plan.inForce[0].interest == .symbols(symbols("A")))
    }

    @Test func `what others go on bringing of a removed connection is wanted for itself`() throws {
        var plan = try plan([wish("one", nil, list: "A"), wish("two", nil, list: "B,C")])
        plan.want(symbols("D"), on: "connection_two", origin: .api)
        plan.remove("connection_two") { $0 != Symbol("C") }.expectNothing()
        #expect(plan.singles.keys.sorted() == symbols("B", "D"))
        #expect(plan.singles[symbols("B")[0]]?.map(\.leftBy) == ["two"])
        #expect(plan.singles[symbols("D")[0]] == [SymbolPlan.SingleWish(origin: .api)])
        plan.unwant(symbols("B"), on: "connection_one") { _ in false }
        plan.unwant(symbols("D"), on: nil) { _ in false }
        #expect(plan.singles.isEmpty)
    }

    @Test func `a symbol that is given up on one connection is still wanted where else it was asked for`() throws {
        var plan = try plan([wish("one", nil, list: "A"), wish("two", nil, list: "B")])
        let x = symbols("X")[0]
        for connection in [nil, "connection_one", "connection_two"] {
            plan.want([x], on: connection, origin: .api)
            plan.want([x], on: connection, origin: .api)
        }
        plan.unwant([x], on: "connection_two") { _ in true }
        #expect(plan.singles[x]?.map(\.connection) == [nil, "connection_one"])
        _ = plan.remove("connection_one") { _ in true }
        #expect(plan.singles[x]?.map(\.connection) == [nil])
        plan.unwant([x], on: "connection_two") { _ in true }
        #expect(plan.singles[x]?.map(\.connection) == [nil])
        // The connection that it was given up on was the last that had it.
        plan.unwant([x], on: "connection_two") { _ in false }
        #expect(plan.singles[x] == nil)
    }

    @Test func `a difference is told by counts and a sample`() {
        let some = Interest.symbols(symbols("A", "B"))
        func change(from old: Interest, to new: Interest) -> SymbolPlan.Change? {
            SymbolPlan.Change(SymbolAssignment(wish: wish("one", nil), interest: new, source: .none), from: old)
        }
        #expect(change(from: some, to: some) == nil)
        #expect(change(from: .all, to: .all) == nil)
        #expect(change(from: some, to: .symbols(symbols("B", "A"))) == nil)
        let mixed = change(from: some, to: .symbols(symbols("B", "C", "D")))
        #expect(mixed?.added == 2 && mixed?.removed == 1 && mixed?.sample == "+C +D -A")
        #expect(change(from: some, to: .all)?.removed == 2)
    }
}

extension SymbolPlan.Step {
    fileprivate func expectNothing() { #expect(changes.isEmpty && remarks.isEmpty) }
}
