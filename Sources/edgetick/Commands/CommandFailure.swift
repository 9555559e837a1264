import ArgumentParser
import Backfill
import Collector
import Export
import Feed
import FeedServer
import FeedSimulator
import FoundationEssentials
import Glibc
import MarketData
import Store
import Universe
import Upstream
import WebAPI

/// A command's failure: the lines to print and the exit status.
struct CommandFailure: Error {
    let status: ExitStatus
    let lines: [String]

    init(_ status: ExitStatus, _ lines: String...) {
        self.status = status
        self.lines = lines
    }

    /// Turns an error of any module into what the person at the prompt should read.
    init(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as ConfigurationError: self.init(.configuration, error.description)
        case let error as SettingFaults:
            // A mistyped key in the environment is only a warning, but may be why another key is missing.
            let warnings = error.remarks.filter { $0.severity == .warning }.map { "warning: \($0)" }
            self.init(lines: error.faults.map { "fault: \($0)" } + warnings, .configuration)
        case let error as StoreError: self.init(Self.status(of: error), error.description)
        case let error as UpstreamError: self.init(Self.status(of: error), error.lastDescription)
        case let error as BackfillError:
            self.init(error.file.map { Self.status(of: $0) } ?? Self.status(of: error), error.description)
        case let error as FeedError: self.init(error.isRetryable ? .unavailable : .configuration, error.description)
        case let error as WebError:
            self.init(error.reason == .configuration ? .configuration : .unavailable, error.description)
        case let error as FeedServerError:
            self.init(error.reason == .tlsFiles ? .configuration : .unavailable, error.description)
        case let error as SimulatorError: self.init(Self.status(of: error), error.description)
        case let error as UniverseError: self.init(lines: [error.description] + error.warnings, Self.status(of: error))
        case let error as DeadLettersInDoubt: self.init(.unavailable, error.description)
        case let error as ExportError: self.init(error.isHeld ? .tryAgain : .ioError, error.description)
        case let error as UniverseArchiveError: self.init(.badData, error.description)
        case let error as SymbolListError:
            self.init(lines: [error.description] + error.problems.map(\.description), .badData)
        default: self.init(.ioError, String(describing: error))
        }
    }

    /// The failure of an upload that did not finish; names each stream with rows left.
    init?(_ report: UploadReport) {
        if let problem = report.problem {
            let failure = CommandFailure(problem)
            let lost =
                report.isOfLostServer
                ? [
                    "the connection was lost while rows were sent, and the server has not come back; the rows that are not "
                        + "uploaded stay in the file"
                ] : []
            self.init(lines: lost + failure.lines, failure.status)
            return
        }
        let failures = EventStream.allCases.compactMap { stream in report.failures[stream].map { (stream, $0) } }
        guard let first = failures.first else { return nil }
        self.init(
            lines: failures.map { "the \($0.rawValue) are not all uploaded: \($1.lastDescription)" },
            Self.status(of: first.1))
    }

    private init(lines: [String], _ status: ExitStatus) {
        self.status = status
        self.lines = lines
    }

    private static func status(of error: StoreError) -> ExitStatus {
        switch error.reason {
        case .inUse, .busy, .changing, .pinned, .full: .tryAgain
        case .damaged, .foreign, .schemaTooNew, .sequenceAhead, .invalid: .badData
        case .notDirectory, .linked: .configuration
        case .notWritable, .notReadable, .diskFull, .inputOutput, .missing, .closed, .statement: .ioError
        }
    }

    private static func status(of error: UniverseError) -> ExitStatus {
        switch error.reason {
        case .emptyKey, .unknownKey, .noSymbols: .configuration
        case .mirror(let error): status(of: error)
        }
    }

    private static func status(of error: UpstreamError) -> ExitStatus {
        switch error.reason {
        case .connectionLost, .deadline: .unavailable
        case .busy, .limit, .tooSlow, .cancelled: .tryAgain
        case .file: .ioError
        case .data, .refused, .ledger: .badData
        case .schema, .login, .readOnly, .tls, .configuration: .configuration
        }
    }

    private static func status(of error: BackfillError) -> ExitStatus {
        switch error.reason {
        case .invalidConfiguration, .keyRefused, .notAuthorized: .configuration
        case .tooManyRequests, .tooEarly, .forgotten: .tryAgain
        case .unreachable, .serverProblem, .database: .unavailable
        case .badAnswer, .incomplete, .badFile: .badData
        case .buffer, .unreadableFile: .ioError
        }
    }

    private static func status(of error: SimulatorError) -> ExitStatus {
        switch error.reason {
        case .captureMissing, .captureUnreadable: .ioError
        case .captureTruncated, .captureMalformed: .badData
        case .configuration: .configuration
        }
    }
}

/// Runs a command's work; prints a failure to standard error, one line each, and turns it into the exit code.
func reportingFailures(_ work: () async throws -> Void) async throws {
    // Flush on every path, so that lines printed before a failure are written too.
    defer { LogWriter.standardError.flush() }
    do {
        try await work()
        StandardStream.finish()
    } catch  where !(error is ExitCode || error is ValidationError) {
        let failure = CommandFailure(error)
        for line in failure.lines { printFailure(line) }
        throw ExitCode(failure.status.rawValue)
    }
}

/// Runs a file operation; if it fails, throws a failure that consists of `words` and the system's reason.
func failing<Value>(as words: String, _ work: () throws -> Value) throws(CommandFailure) -> Value {
    do { return try work() } catch { throw CommandFailure(.ioError, "\(words): \(error.systemText)") }
}

extension Error {
    /// The system's text for an error of a file operation: `No such file or directory`.
    var systemText: String {
        guard let code = ((self as? CocoaError)?.underlying as? POSIXError)?.code else { return "\(self)" }
        return String(cString: strerror(code.rawValue))
    }
}
