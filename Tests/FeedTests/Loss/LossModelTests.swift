import Foundation
import TestSupport
import Testing

/// Nothing is lost without a gap, whatever random faults happen between a late feed and the file.
@Suite(.timeLimit(.minutes(5))) struct LossModelTests {
    /// The seeds to run; the environment may set more, for a long search.
    private static let range: Range<Int> = {
        let first = ProcessInfo.processInfo.environment["LOSS_SEED"].flatMap { Int($0) } ?? 0
        let count = ProcessInfo.processInfo.environment["LOSS_SEEDS"].flatMap { Int($0) } ?? 60
        return first..<first + count
    }()

    @Test(arguments: 0..<8)
    func `an event that was sent and isn't in the file is in a gap, and gaps are no longer than they must be`(part: Int)
        throws
    {
        for seed in Self.range where seed % 8 == part {
            let world = try ModelWorld(seed: UInt64(seed))
            let wrong = world.run()
            guard !wrong.isEmpty else { continue }
            Issue.record(
                "seed \(seed): \(wrong.prefix(6).joined(separator: "; "))\n\((world.story + world.gaps).joined(separator: "\n"))"
            )
        }
    }
}
