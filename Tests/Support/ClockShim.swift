public import Foundation
import Synchronization

/// A wall clock that tests step under running programs; the monotonic clocks are left alone.
///
/// It preloads a small library (`ClockShim/clockshim.c`) into the program. libfaketime is no substitute: it stops the
/// timers of a Swift program, since those that end at a wall time are handed to the kernel.
public final class ClockShim: Sendable {
    private static let built = Mutex<Result<String, Command.Failure>?>(nil)

    private let workspace: Workspace
    private let library: String

    /// Makes a clock that shows the tests' own time until it is stepped; builds the library on first use.
    public init() throws {
        library = try Self.built.withLock { built in
            let result = built ?? Result { () throws(Command.Failure) in try Self.build() }
            built = result
            return try result.get()
        }
        workspace = try Workspace()
        try step(to: .zero)
    }

    /// The file that holds the offset in milliseconds, for tests that step the clock by other means.
    public var file: String { workspace.file("clock") }

    /// The environment variables for a program that is to use this clock.
    public var settings: [String: String] { ["LD_PRELOAD": library, "CLOCKSHIM_FILE": file] }

    /// Sets the clock to the tests' own time plus `difference`.
    public func step(to difference: Duration) throws {
        let milliseconds = Int64(difference / .milliseconds(1)) + Self.ownMilliseconds
        // Written atomically, so that no reader sees half a number.
        try Data("\(milliseconds)\n".utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
    }

    /// Sets the clock to `moment`, from which it continues.
    public func step(to moment: Date) throws {
        try step(to: .milliseconds(Int64(moment.timeIntervalSinceNow * 1000)))
    }

    /// The offset of the tests' own clock from the true one, if the tests themselves run with such a clock.
    private static let ownMilliseconds: Int64 = {
        guard let file = ProcessInfo.processInfo.environment["CLOCKSHIM_FILE"],
            let text = try? String(contentsOfFile: file, encoding: .utf8)
        else { return 0 }
        return Int64(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }()

    private static func build() throws(Command.Failure) -> String {
        let source = Places.repository + "/Tests/Support/ClockShim/clockshim.c"
        let library = Places.products + "/clockshim.so"
        // Built under a unique name first, since other test processes may build it at the same time.
        let draft = library + ".\(getpid())"
        // clang comes with every Swift toolchain.
        try Command.run(["clang", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", draft, source, "-ldl"])
        guard rename(draft, library) == 0 else {
            throw Command.Failure(description: "\(library): \(String(cString: strerror(errno)))")
        }
        return library
    }
}
