import FoundationEssentials
import Logging
import MarketData

/// The buffer's file as its opening left it.
struct OpenedTicks {
    let connection: TickConnection
    let identity: TickConnection.Identity
    let contents: TickConnection.Contents
    let totals: (gaps: Int64, deadLetters: Int64, drops: Int64)
    /// As ``TickConnection/lastLife()``; `nil` for a file that was made just now.
    let lastLife: Int64?
    /// What the file knows of its uploads.
    let line: UploadLine
    var incidents: [(what: String, detail: String)] = []

    /// Opens the file, of which `lock` is held; a bad one is set aside first.
    static func open(
        _ file: StoreFile, lock: FileLock, options: TickBuffer.Options, logger: Logger
    ) throws(StoreError) -> OpenedTicks {
        var incidents: [(what: String, detail: String)] = []
        func putAway(_ why: String) throws(StoreError) {
            let name = try file.setAside(now: WallClock.microseconds() / 1_000_000)
            incidents.append(("set aside", "\(name): \(why)"))
            logger.error(
                "The buffer's file was bad and was set aside; a fresh one is started",
                metadata: ["path": "\(file.path)", "set-aside": "\(name)", "reason": "\(why)"])
        }
        if case .bad(let why) = try file.inspect() { try putAway(why) }
        var attempt = 0
        while true {
            do {
                let identity = TickConnection.Identity(
                    id: UUID().uuidString.lowercased(), collector: options.collector)
                let connection = try TickConnection.open(
                    file, synchronous: options.synchronous.rawValue, identity: identity,
                    seed: TickConnection.Contents())
                var contents = try connection.contents()
                try connection.checkPending(contents)
                let isFresh = contents.id == identity.id
                if !isFresh { contents = try connection.renamed(contents, to: identity.id) }
                return OpenedTicks(
                    connection: connection,
                    identity: TickConnection.Identity(id: contents.id, collector: options.collector),
                    contents: contents, totals: try connection.totals(),
                    lastLife: isFresh ? nil : try connection.lastLife(),
                    line: try connection.line(), incidents: incidents)
            } catch {
                // Damage may hide behind a sound header, in any page that is read to begin with.
                guard error.reason == .damaged, attempt == 0 else { throw error }
                attempt += 1
                try putAway(error.underlying ?? "damaged")
            }
        }
    }
}

extension TickConnection {
    /// Reads the first row of each stream that waits for upload, as the writer does as soon as it starts.
    fileprivate func checkPending(_ contents: Contents) throws(StoreError) {
        for stream in EventStream.allCases {
            let first = max(contents.acknowledged[stream], contents.deletedThrough[stream]) + 1
            guard first <= contents.last[stream] else { continue }
            _ = try perform { () throws(StoreError) in try notes.received(stream, from: first) }
        }
    }
}
