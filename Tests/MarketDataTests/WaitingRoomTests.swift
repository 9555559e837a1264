import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct WaitingRoomTests {
    @Test func `of those that wait, the one that has waited longest goes for one more`() {
        var room = WaitingRoom<Int, String>(limit: 3)
        #expect([(1, "a"), (2, "b"), (3, "c")].allSatisfy { room.enter($0.0, $0.1) == nil })
        room.change(1, isServed: true)
        #expect(room.enter(4, "d") == "b")
        room.change(1, isServed: false)
        #expect(room.enter(5, "e") == "c")
        #expect(room.enter(6, "f") == "d")
        #expect(room.enter(7, "g") == "a")
    }

    @Test func `one that is served goes only where nobody waits`() {
        var room = WaitingRoom<Int, String>(limit: 2)
        for (id, guest) in [(1, "a"), (2, "b")] {
            #expect(room.enter(id, guest) == nil)
            room.change(id, isServed: true)
        }
        #expect(room.enter(3, "c") == "a")
        #expect(room.enter(4, "d") == "c")
    }

    @Test func `whoever has gone makes room, and a change of one that is not there changes nothing`() {
        var room = WaitingRoom<Int, String>(limit: 1)
        #expect(room.enter(1, "a") == nil)
        room.leave(1)
        room.change(1, isServed: true)
        #expect(room.enter(2, "b") == nil)
        #expect(room.enter(3, "c") == "b")
    }
}
