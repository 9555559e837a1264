import Foundation
import TestSupport

/// The parameters of `make torture`, and the counts that it reports.
enum Torture {
    /// The number of rounds of random kills, with which the other sets scale; `nil` skips the long sets.
    static let rounds = ProcessInfo.processInfo.environment["TORTURE_ROUNDS"].flatMap { Int($0) }

    /// The seed of the random numbers.
    static let seed = ProcessInfo.processInfo.environment["TORTURE_SEED"].flatMap { UInt64($0) } ?? 1

    /// The only kind of damage to test on torn files; `nil` tests each in turn.
    static let damage = ProcessInfo.processInfo.environment["TORTURE_DAMAGE"].flatMap { name in
        TornFile.Damage.allCases.first { "\($0)" == name }
    }

    /// Returns the number of rounds of a set that has `full` rounds for a thousand kills.
    static func rounds(full: Int) -> Int { max(1, (rounds ?? 0) * full / 1000) }

    /// The counts of a set.
    struct Counts: CustomStringConvertible {
        var rounds = 0
        var hits = 0
        var events = 0
        var lost = 0
        var spurious = 0
        var doubled = 0
        var corrupted = 0
        var failures: [String] = []

        mutating func add(_ findings: LedgerOracle.Findings, _ what: String) {
            events += findings.events
            lost += findings.missing.count
            spurious += findings.spurious.count
            doubled += findings.doubled.count
            corrupted += findings.corrupted.count
            if !findings.isClean { failures.append("\(what): \(findings)") }
        }

        var isClean: Bool { failures.isEmpty }

        var description: String {
            "\(rounds) rounds, \(hits) hit, \(events) events: \(lost) lost, \(spurious) spurious, \(doubled) doubled, "
                + "\(corrupted) corrupted" + failures.map { "\n  " + $0 }.joined()
        }
    }

    /// Prints a line without buffering, even to a pipe.
    static func report(_ set: String, _ counts: Counts) {
        FileHandle.standardOutput.write(Data("torture: \(set): \(counts)\n".utf8))
    }
}
