import FoundationEssentials
import Logging
import Store
import Upstream

/// Runs `body`, and `close` after it however it ended.
func closing<Result>(_ close: () async -> Void, after body: () async throws -> Result) async throws -> Result {
    let result: Result
    do {
        result = try await body()
    } catch {
        await close()
        throw error
    }
    await close()
    return result
}

extension Settings {
    /// Runs `body` with the buffer, which this process alone has meanwhile, and closes it.
    ///
    /// - Parameter advice: what to do instead while a running collector has it.
    /// - Throws: what opening throws, and what `body` throws.
    func withBuffer<Result>(
        heldAdvice advice: String? = nil, _ body: (TickBuffer) async throws -> Result
    ) async throws -> Result {
        let buffer: TickBuffer
        do throws(StoreError) {
            buffer = try TickBuffer.open(
                directory: dataDirectory, options: toolBufferOptions, logger: Logger(label: "buffer"))
        } catch {
            guard case .inUse(let holder) = error.reason else { throw CommandFailure(error) }
            let process = holder.map { ", process \($0)," } ?? ""
            throw CommandFailure(
                .tryAgain,
                "a running collector\(process) holds the buffer; "
                    + (advice ?? "do this on its page, or stop it, do this, and start it again"))
        }
        return try await closing({ await buffer.close() }) { try await body(buffer) }
    }

    /// As ``withBuffer(heldAdvice:_:)``, with what uploads its rows.
    func withUploaders<Result>(
        settingAside: Bool, heldAdvice advice: String? = nil, _ body: (TickBuffer, [Uploader]) async throws -> Result
    ) async throws -> Result {
        try await withBuffer(heldAdvice: advice) { buffer in
            let uploaders = try uploaders(of: buffer.id, settingAside: settingAside)
            return try await closing({ for uploader in uploaders { await uploader.disconnect() } }) {
                try await body(buffer, uploaders)
            }
        }
    }

    /// The files to do something to: those that are named, or what there is of the data directory's own.
    func localFiles(_ named: [String], to operation: String) throws -> [(path: String, kind: LocalFile)] {
        guard named.isEmpty else {
            return try named.map { path in
                guard FileManager.default.fileExists(atPath: path) else {
                    throw CommandFailure(.ioError, "\(path): there is no such file")
                }
                guard let kind = LocalFile(at: path) else {
                    throw CommandFailure(
                        .badData, "\(path): neither its header nor its name is that of ticks.sqlite or universe.sqlite")
                }
                return (path, kind)
            }
        }
        let present = LocalFile.allCases.map { (dataDirectory + "/" + $0.name, $0) }
            .filter { FileManager.default.fileExists(atPath: $0.0) }
        guard !present.isEmpty else {
            throw StoreError(.missing, operation: operation, path: dataDirectory + "/" + TickBuffer.fileName)
        }
        return present
    }
}
