import FoundationEssentials
import Logging
import Store
import Upstream

/// Runs `body` and then `close`, whether `body` returns or throws.
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
    /// Opens the buffer, which no other process can use meanwhile, runs `body` with it and closes it.
    ///
    /// - Parameters:
    ///   - advice: What to do instead if a running collector holds the buffer.
    ///   - makesFile: Whether to create the file if there is none, because `body` adds rows. That is said: the directory may
    ///     be a mistyped one.
    /// - Throws: ``CommandFailure`` if the buffer can't be opened, damage found in it, and whatever `body` throws.
    func withBuffer<Result>(
        heldAdvice advice: String? = nil, makesFile: Bool = false, _ body: (TickBuffer) async throws -> Result
    ) async throws -> Result {
        let isThere = FileManager.default.fileExists(atPath: dataDirectory + "/" + TickBuffer.fileName)
        var options = bufferOptions
        options.isCollecting = false
        options.makesFile = makesFile
        let buffer: TickBuffer
        do throws(StoreError) {
            buffer = try TickBuffer.open(directory: dataDirectory, options: options, logger: Logger(label: "buffer"))
        } catch {
            guard case .inUse(let holder) = error.reason else { throw CommandFailure(error) }
            let process = holder.map { ", process \($0)," } ?? ""
            let lock = dataDirectory + "/" + TickBuffer.fileName + ".lock"
            guard FileLock.holder(of: lock)?.isCollecting != false else {
                throw CommandFailure(
                    .tryAgain, "another edgetick command\(process) holds the buffer; try again when it has ended")
            }
            throw CommandFailure(
                .tryAgain,
                "a running collector\(process) holds the buffer; "
                    + (advice ?? "do this on its page, or stop it, do this, and start it again"))
        }
        if makesFile, !isThere {
            printWarning("there was no \(TickBuffer.fileName) in \(dataDirectory); a new one takes what this adds")
        }
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await closing({ await buffer.close() }) { try await body(buffer) })
        } catch {
            outcome = .failure(error)
        }
        // Damage first: `body` may have failed because of it.
        if let damage = buffer.damage { throw damage }
        return try outcome.get()
    }

    /// Like ``withBuffer(heldAdvice:makesFile:_:)``, and also opens an uploader for each database.
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

    /// The files that an operation works on: the named ones, or the data directory's own files that exist.
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
