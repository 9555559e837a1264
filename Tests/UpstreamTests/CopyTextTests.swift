import MarketData
import Testing

@testable import Upstream

@Suite(.timeLimit(.minutes(5))) struct CopyTextTests {
    private func text(_ body: (inout CopyText) -> Void) -> String {
        var copy = CopyText()
        body(&copy)
        return String(decoding: copy.bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            (0, "1970-01-01 00:00:00+00"), (-1, "1969-12-31 23:59:59.999+00"),
            (951_782_400_000, "2000-02-29 00:00:00+00"), (1_709_164_800_000, "2024-02-29 00:00:00+00"),
            (1_381_239_000_123, "2013-10-08 13:30:00.123+00"), (4_107_542_399_999, "2100-02-28 23:59:59.999+00"),
            (4_107_542_400_000, "2100-03-01 00:00:00+00"), (253_402_300_799_000, "9999-12-31 23:59:59+00"),
            (-62_135_596_800_000, "0001-01-01 00:00:00+00"), (1_735_689_599_050, "2024-12-31 23:59:59.050+00"),
        ] as [(Int64, String)])
    func `a time is written as ISO 8601 in UTC`(time: Int64, expected: String) {
        #expect(text { $0.append(milliseconds: time, zoned: true) } == expected)
        #expect(text { $0.append(milliseconds: time, zoned: false) } == expected.dropLast(3))
    }

    @Test func `microseconds keep all six digits`() {
        #expect(text { $0.append(microseconds: 1_381_239_000_000_007, zoned: true) } == "2013-10-08 13:30:00.000007+00")
    }

    @Test(
        arguments: [
            (0.5, "1"), (1.5, "2"), (2.5, "3"), (-2.5, "-3"), (2.4999, "2"), (0, "0"),
            (9_007_199_254_740_992, "9007199254740992"),
        ] as [(Double, String)])
    func `a whole-number column gets the nearest integer, halves away from zero`(value: Double, expected: String) {
        #expect(text { $0.append(value, rounded: true) } == expected)
    }

    @Test(arguments: [(0.4372, "0.4372"), (150, "150"), (0.1 + 0.2, "0.30000000000000004"), (123456.789, "123456.789")])
    func `a decimal column gets the decimal that was sent`(value: Double, expected: String) {
        #expect(text { $0.append(value, rounded: false) } == expected)
    }

    @Test func `what means something to COPY is escaped`() {
        #expect(text { $0.append(text: "a\\b\tc\nd\re\\N") } == #"a\\b\tc\nd\re\\N"#)
        #expect(
            text { copy in
                copy.beginField()
                copy.append(text: "x")
                copy.beginField()
                copy.appendNull()
                copy.endRow()
                copy.beginField()
                copy.append(flag: true)
                copy.endRow()
            } == "x\t\\N\nt\n")
    }

    @Test func `pieces join to the whole and stay small`() {
        let rows = batch((0..<5000).map { bar("S\($0)", minute: Int64($0)) })
        let context = RowContext(
            collector: "c", connections: rows.connections, text: rows.text, barTimestamp: .start)
        var encoder = CopyEncoder(
            rows.bars, order: (0..<5000).map { Int32($0) }[...],
            columns: BarField.allCases.map { PlannedColumn(field: $0, form: .decimal, name: $0.rawValue, binary: nil) },
            context: context,
            as: CopyText.self)
        var piece: [UInt8] = []
        var lines = 0
        var pieces = 0
        repeat {
            encoder.nextChunk(into: &piece)
            lines += piece.count { $0 == UInt8(ascii: "\n") }
            pieces += 1
            #expect(piece.isEmpty || piece.last == UInt8(ascii: "\n"))
            #expect(piece.count < CopyPiece.size + 1024)
        } while !piece.isEmpty
        #expect(lines == 5000 && pieces > 5)
    }
}

@Suite(.timeLimit(.minutes(5))) struct SelectionTests {
    @Test func `bars are parted by length, once a key, in the order of time and symbol`() {
        let rows = batch([
            bar("B", minute: 1), bar("A", minute: 1), bar("Z"), bar("A", minute: 1, close: 2),
            bar("A", interval: .second), bar("A", minute: 1, close: 3), bar("C", minute: -1),
        ])
        let selection = BarSelection(rows.bars, in: 0..<7, timestamp: .start)
        let minutes = BarGroup(interval: .minute, source: .stream)
        #expect(selection.groups == [minutes: [6, 2, 5, 0], BarGroup(interval: .second, source: .stream): [4]])
        #expect(selection.superseded == 2)
        let rest = BarSelection(rows.bars, in: 1..<4, timestamp: .end)
        #expect(rest.groups == [minutes: [2, 3]] && rest.superseded == 1)
    }

    @Test func `corrections that a gap missed go by a rule of their own, not by that of a compared day`() {
        var rows = batch([bar("A"), bar("B"), bar("C"), bar("D")])
        rows.connections = ["primary", "backfill", "reconcile"]
        for (place, source, connection) in [(1, .backfill, 1), (2, .reconcile, 1), (3, .reconcile, 2)]
            as [(Int, EventSource, Int32)]
        {
            rows.bars[place].source = source
            rows.bars[place].connection = connection
        }
        let selection = BarSelection(rows.bars, in: 0..<4, timestamp: .start, connections: rows.connections)
        let corrections = BarGroup(interval: .minute, source: .reconcile, isCorrection: true)
        #expect(selection.groups[corrections] == [2] && BarGroup.all.contains(corrections))
        #expect(selection.groups[BarGroup(interval: .minute, source: .reconcile)] == [3])
        #expect(selection.groups.count == 4)
    }

    @Test func `the staging path is kept the longer the more often a direct try meets a key`() {
        var choice = UploadPathChoice()
        #expect(choice.path == .direct)
        var staged: [Int] = []
        for _ in 0..<8 {
            choice.conflicted()
            var count = 0
            while choice.path == .staging {
                choice.wentStaged()
                count += 1
            }
            staged.append(count)
        }
        #expect(staged == [8, 16, 32, 64, 128, 256, 256, 256])
        choice.wentDirect()
        choice.conflicted()
        for _ in 0..<8 { choice.wentStaged() }
        #expect(choice.path == .direct)
    }
}
