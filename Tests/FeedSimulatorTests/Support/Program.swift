import Foundation

/// What a program wrote and how it ended.
struct ProgramResult: Sendable {
    var status: Int32
    var output: String
}

/// Runs a program to its end; throws when it fails.
@discardableResult
func runProgram(_ path: String, _ arguments: String...) async throws -> ProgramResult {
    let result = try await program(path, arguments)
    guard result.status == 0 else { throw ProgramFailure(result: result) }
    return result
}

/// Runs a program to its end.
func program(_ path: String, _ arguments: [String]) async throws -> ProgramResult {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            do {
                let process = Process()
                let output = Pipe()
                process.executableURL = URL(fileURLWithPath: path)
                process.arguments = arguments
                process.standardOutput = output
                process.standardError = output
                process.standardInput = FileHandle.nullDevice
                try process.run()
                let bytes = output.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(
                    returning: ProgramResult(
                        status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self)))
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}

struct ProgramFailure: Error {
    var result: ProgramResult
}
