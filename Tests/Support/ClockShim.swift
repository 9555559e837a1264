public import Foundation
import Synchronization

/// A wall clock that tests step under running programs; the monotonic clocks are left alone.
///
/// A small library of our own (`ClockShim/clockshim.c`), loaded before the program: libfaketime stops the timers of a
/// Swift program, since those that end at a wall time are given to the kernel.
public final class ClockShim: Sendable {
    private static let built = Mutex<Result<String, Command.Failure>?>(nil)

    private let workspace: Workspace
    private let library: String

    /// A clock that shows the tests' own time until it is stepped; builds the library at its first use.
    public init() throws {
        library = try Self.built.withLock { built in
            let result = built ?? Result { () throws(Command.Failure) in try Self.build() }
            built = result
            return try result.get()
        }
        workspace = try Workspace()
        try step(to: .zero)
    }

    /// The file that holds the difference in milliseconds, for those who step the clock otherwise.
    public var file: String { workspace.file("clock") }

    /// Environment variables for a program that lives by this clock.
    public var settings: [String: String] { ["LD_PRELOAD": library, "CLOCKSHIM_FILE": file] }

    /// Steps the clock to the tests' own time and so much more, or less.
    public func step(to difference: Duration) throws {
        let milliseconds = Int64(difference / .milliseconds(1)) + Self.ownMilliseconds
        // In one step, so that no reader sees half a number.
        try Data("\(milliseconds)\n".utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
    }

    /// Steps the clock to a moment, from which it goes on.
    public func step(to moment: Date) throws {
        try step(to: .milliseconds(Int64(moment.timeIntervalSinceNow * 1000)))
    }

    /// How far the tests' own clock is from the true one, when they run by such a clock themselves.
    private static let ownMilliseconds: Int64 = {
        guard let file = ProcessInfo.processInfo.environment["CLOCKSHIM_FILE"],
            let text = try? String(contentsOfFile: file, encoding: .utf8)
        else { return 0 }
        return Int64(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }()

    private static func build() throws(Command.Failure) -> String {
        let source = Places.repository + "/Tests/Support/ClockShim/clockshim.c"
        let library = Places.products + "/clockshim.so"
        // Under a name of its own first: other processes of the tests may build it too.
        let draft = library + ".\(getpid())"
        // clang is there wherever Swift is.
        try Command.run(["clang", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", draft, source, "-ldl"])
        guard rename(draft, library) == 0 else {
            throw Command.Failure(description: "\(library): \(String(cString: strerror(errno)))")
        }
        return library
    }
}
