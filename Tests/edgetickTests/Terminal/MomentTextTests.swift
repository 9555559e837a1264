import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct MomentTextTests {
    @Test(arguments: [
        ("2026-01-05", 1_767_571_200_000), ("2026-01-05T14:30", 1_767_623_400_000),
        ("2026-01-05 14:30", 1_767_623_400_000), ("2026-01-05T14:30:00Z", 1_767_623_400_000),
        ("2026-01-05T14:30:00.250Z", 1_767_623_400_250), ("2026-01-05T09:30:00-05:00", 1_767_623_400_000),
        ("2026-01-05T14:29:59.9996Z", 1_767_623_400_000), ("2026-01-05T14:30:00.000250Z", 1_767_623_400_000),
        ("1767623400", 1_767_623_400_000), ("1767623400250", 1_767_623_400_250), ("now", 1_000_000_000_000),
        ("-90m", 999_994_600_000), ("-2h", 999_992_800_000), ("-0d", 1_000_000_000_000),
    ])
    func `moments are read as people write them`(text: String, milliseconds: Int64) {
        #expect(MomentText.milliseconds(text, now: 1_000_000_000_000) == milliseconds)
    }

    @Test(arguments: [
        "", "yesterday", "2026-13-05", "2026-01-05T25:00", "2026-02-30", "2026-01-05T12:60Z", "2026-02-30T10:00+01:00",
        "-", "-h", "-5y", "-99999999d", "5m", "12:30", "12", "20260105",
        "17676234002501234",
    ])
    func `what is no moment is refused`(text: String) {
        #expect(MomentText.milliseconds(text, now: 0) == nil)
    }

    @Test func `moments are written in UTC, with milliseconds where there are any`() {
        #expect(MomentText.text(1_767_623_400_000) == "2026-01-05T14:30:00Z")
        #expect(MomentText.text(1_767_623_400_250) == "2026-01-05T14:30:00.250Z")
        for rest in [1, 7, 122, 123, 999] as [Int64] {
            let text = MomentText.text(1_380_000_000_000 + rest)
            #expect(text == "2013-09-24T05:20:00." + String(1000 + rest).dropFirst() + "Z")
            #expect(MomentText.milliseconds(text, now: 0) == 1_380_000_000_000 + rest)
        }
    }
}
