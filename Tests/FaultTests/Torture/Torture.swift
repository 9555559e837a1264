import Foundation
import TestSupport

/// What `make torture` asks for, and how its counts are told.
enum Torture {
    /// The rounds of random kills; the other sets are as long as their share of it. `nil` leaves the long sets out.
    static let rounds = ProcessInfo.processInfo.environment["TORTURE_ROUNDS"].flatMap { Int($0) }

    /// Where the random numbers begin.
    static let seed = ProcessInfo.processInfo.environment["TORTURE_SEED"].flatMap { UInt64($0) } ?? 1

    /// The one damage that the torn files are to have; `nil` for each in turn.
    static let damage = ProcessInfo.processInfo.environment["TORTURE_DAMAGE"].flatMap { name in
        TornFile.Damage.allCases.first { "\($0)" == name }
    }

    /// Rounds of a set that has `full` of them where there are a thousand kills.
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

    /// Prints a line at once, also into a pipe.
    static func report(_ set: String, _ counts: Counts) {
        FileHandle.standardOutput.write(Data("torture: \(set): \(counts)\n".utf8))
    }
}
