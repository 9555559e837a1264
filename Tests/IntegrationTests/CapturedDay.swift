import Foundation
import TestSupport

/// The captured day of 2013-10-08, four kinds of events of four symbols.
///
/// With EDGETICK_TEST_WHOLE_DAY set, which needs a release build (`make day`), it has all 2.5 million events; otherwise
/// all minute bars and every fortieth frame of trades and of quotes.
struct CapturedDay {
    static let isWhole = ProcessInfo.processInfo.environment["EDGETICK_TEST_WHOLE_DAY"] != nil
    /// Whether the captures are next to the checkout.
    static let isThere = paths.count == kinds.count

    private static let kinds = ["AM", "A", "T", "Q"]
    private static let paths = kinds.compactMap { Places.sharedData("captures/2013-10-08.\($0).ndjson.gz") }

    /// The symbols that were traded.
    static let symbols = ["AIG", "BAC", "IBM", "SPY"]
    /// From its first event to its last, in seconds.
    static let length = 57_600.0

    /// Returns the moment when a share of the day has passed, in milliseconds since the Unix epoch.
    static func moment(_ share: Double) -> Int64 { 1_381_219_200_000 + Int64(length * 1000 * share) }

    let captures: [String]
    /// A further capture: some bars of the day again, with a larger volume, to be sent later.
    let corrections: String
    private let workspace: Workspace

    /// - Parameter step: One of this many frames of second bars is kept, unless the day is whole.
    init(secondBarStep step: Int = 1) throws {
        let workspace = try Workspace()
        self.workspace = workspace
        func write(_ path: String, _ filter: String) throws -> String {
            let file = workspace.file(
                URL(fileURLWithPath: path).lastPathComponent + ".\(UUID().uuidString.prefix(4)).ndjson")
            try Command.run(["/bin/sh", "-c", "zcat '\(path)' | awk '\(filter)' > '\(file)'"])
            return file
        }
        captures = try Self.paths.enumerated().map { place, path in
            let step = [1, step, 40, 40][place]
            return Self.isWhole || step == 1 ? path : try write(path, "NR % \(step) == 1")
        }
        corrections = try write(Self.paths[0], #"NR % 7 == 1 { gsub(/"v":/, "\"v\":1"); print }"#)
    }

    /// Returns the number of frames.
    func frames() throws -> Int {
        let names = captures.map { "'\($0)'" }.joined(separator: " ")
        let text = try Command.run(["/bin/sh", "-c", "for file in \(names); do zcat -f \"$file\"; done | wc -l"])
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    /// Returns the starts of the minute bars of all symbols.
    func minutes() throws -> [Int64] {
        try Command.run(["/usr/bin/zcat", captures[0]]).matches(of: /"s":([0-9]+)/).compactMap { Int64($0.1) }
    }

    /// Returns the speed at which the day takes this many seconds.
    static func speed(lasting seconds: Double) -> String { "\((length / seconds).rounded())" }
}
