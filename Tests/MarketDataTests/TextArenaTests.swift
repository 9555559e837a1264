import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct TextArenaTests {
    @Test func `texts come back from where they were put`() {
        var arena = TextArena()
        let ranges = ["one", "", "zwei €", "three"].map { arena.append($0) }
        #expect(ranges.map { arena[$0] } == ["one", "", "zwei €", "three"])
        #expect(ranges[2] == TextRange(offset: 3, count: 8))
        #expect(arena.bytes == Array("onezwei €three".utf8))
        #expect(arena.withUTF8(ranges[3]) { Array($0) } == Array("three".utf8))
    }

    @Test func `bytes and texts are kept alike`() {
        var arena = TextArena()
        let range = Array("bytes".utf8).withUnsafeBytes { arena.append($0) }
        #expect(arena[range] == "bytes")
    }

    @Test func `texts are forgotten from an offset on, or all`() {
        var arena = TextArena()
        let kept = arena.append("kept")
        let end = arena.bytes.count
        _ = arena.append("dropped")
        arena.removeAll(from: end)
        #expect(arena[kept] == "kept")
        #expect(arena.bytes.count == 4)
        arena.removeAll(from: 4)
        #expect(arena.bytes.count == 4)
        #expect(arena.append("new") == TextRange(offset: 4, count: 3))
        arena.removeAll()
        #expect(arena == TextArena())
        #expect(arena.append("x") == TextRange(offset: 0, count: 1))
    }
}
