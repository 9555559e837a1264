import FoundationEssentials
import Logging

/// The buffer's file as its opening left it.
struct OpenedTicks {
    let connection: TickConnection
    let identity: TickConnection.Identity
    let contents: TickConnection.Contents
    var incidents: [(what: String, detail: String)] = []

    /// Opens the file; a bad one is set aside first. Needs the file's lock.
    static func open(
        _ file: StoreFile, options: TickBuffer.Options, logger: Logger
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
                let contents = try connection.contents()
                return OpenedTicks(
                    connection: connection,
                    identity: TickConnection.Identity(id: contents.id, collector: options.collector),
                    contents: contents, incidents: incidents)
            } catch {
                // Damage may hide behind a sound header.
                guard error.reason == .damaged, attempt == 0 else { throw error }
                attempt += 1
                try putAway(error.underlying ?? "damaged")
            }
        }
    }
}
