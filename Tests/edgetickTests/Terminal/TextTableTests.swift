import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct TextTableTests {
    private static let table = TextTable(
        [.right("GAP"), "STATE", "FROM", "DETAIL"],
        [
            ["12", "open", "2026-11-28", "the market was closed, and nothing was traded"],
            ["3", "unfillable", "2026-11-27", ""],
        ])

    @Test func `a pipe and a wide window get one line per row`() {
        let text = """
            GAP  STATE       FROM        DETAIL
             12  open        2026-11-28  the market was closed, and nothing was traded
              3  unfillable  2026-11-27  \n
            """
        #expect(Self.table.text == text)
        #expect(Self.table.text(within: Self.table.width) == text)
    }

    @Test func `a window that is too narrow breaks rows between columns, at the same ones in every row`() {
        #expect(
            Self.table.text(within: 30) == """
                GAP  STATE       FROM
                    DETAIL
                 12  open        2026-11-28
                    the market was closed, and
                    nothing was traded
                  3  unfillable  2026-11-27\n
                """)
        #expect(
            Self.table.text(within: 24) == """
                GAP  STATE
                    FROM
                    DETAIL
                 12  open
                    2026-11-28
                    the market was
                    closed, and nothing
                    was traded
                  3  unfillable
                    2026-11-27\n
                """)
    }

    @Test func `a first cell that is longer than the window is broken within it`() {
        let text = TextTable(["NAME"], [[String(repeating: "x", count: 90)]]).text(within: 40)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 40 }, "\(text)")
    }

    @Test func `what doctor finds is broken at spaces, under itself`() {
        let finding = Finding.warning("fleet", "old-box: it is off, or does not reach the database")
        #expect(
            DoctorCommand.text(finding, Paint(isOn: false), width: 50) == """
                WARN  fleet          old-box: it is off, or does
                                     not reach the database
                """)
        #expect(
            DoctorCommand.text(finding, Paint(isOn: false), width: nil)
                == "WARN  fleet          old-box: it is off, or does not reach the database")
    }
}
