public import MarketData
public import Store
import Upstream

/// The upload to one database at one moment.
public struct UploadState: Sendable, Equatable {
    var role = UpstreamRole.main
    /// The streams that it uploads.
    public var streams = EventStream.allCases
    /// What was uploaded, and what stops streams.
    public var status = SyncStatus()
    /// The seconds between two uploads while all goes well (`SYNC_INTERVAL`). Rows normally wait that long.
    public var interval = 0.0
    /// Whether triggers that keep rows out of their tables are no problem.
    var keepsOutOnPurpose = false
    /// For how many seconds rows have waited without one being settled; 0 while none waits.
    public var stalledFor = 0.0

    /// The database's name, as it is shown.
    public var name: String { role.rawValue }

    /// Returns the number of rows that wait for this upload.
    public func pending(in buffer: BufferStatistics) -> Int64 { streams.reduce(0) { $0 + buffer[$1].pending } }

    /// Returns the number of rows that the database refused and that are kept as dead letters.
    func deadLetters(in buffer: BufferStatistics) -> Int64 { streams.reduce(0) { $0 + buffer[$1].deadLetters } }

    /// Returns how far the database is behind, in seconds; 0 when it has everything.
    public func lag(in snapshot: CollectorSnapshot) -> Double {
        let oldest = streams.compactMap { snapshot.buffer[$0].oldestPendingMilliseconds }.min()
        return oldest.map { max(0, Double(snapshot.time - $0) / 1000) } ?? 0
    }
}

extension SyncStatus {
    /// Combines all uploads; `nil` for none. If there are several, a failure that stops one database's streams stops
    /// only those.
    init?(_ uploads: [UploadState]) {
        guard let first = uploads.first else { return nil }
        self = first.status
        guard uploads.count > 1 else { return }
        self = uploads.dropFirst().reduce(first.status.ofStreams(first.streams)) {
            $0.joined(with: $1.status.ofStreams($1.streams))
        }
    }
}
