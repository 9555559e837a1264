import TestSupport

/// A program's exit status and output.
struct ProgramResult: Sendable {
    var status: Int32
    var output: String
}

/// Runs a program to its end; throws if it fails.
@discardableResult
func runProgram(_ path: String, _ arguments: String...) async throws -> ProgramResult {
    let result = try await program(path, arguments)
    guard result.status == 0 else { throw ProgramFailure(result: result) }
    return result
}

/// Runs a program to its end.
func program(_ path: String, _ arguments: [String]) async throws -> ProgramResult {
    let child = try ChildProcess(path, arguments)
    let status = try await child.exit(within: .seconds(50))
    return ProgramResult(status: status, output: child.output.joined(separator: "\n"))
}

struct ProgramFailure: Error {
    var result: ProgramResult
}
