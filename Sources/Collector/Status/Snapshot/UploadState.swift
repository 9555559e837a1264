public import MarketData
public import Store
import Upstream

/// The upload to one database at one moment.
public struct UploadState: Sendable, Equatable {
    var role = UpstreamRole.main
    /// The streams that go there.
    public var streams = EventStream.allCases
    /// What was moved, and what keeps streams from going on.
    public var status = SyncStatus()
    /// How many seconds are between two uploads while all goes well (`SYNC_INTERVAL`): rows wait so long as a matter of course.
    public var interval = 0.0
    /// For how many seconds no row was settled while rows wait; 0 while none waits.
    public var stalledFor = 0.0

    /// The database's name, as it goes out.
    public var name: String { role.rawValue }

    /// Rows that wait for this upload.
    public func pending(in buffer: BufferStatistics) -> Int64 { streams.reduce(0) { $0 + buffer[$1].pending } }

    /// How far the database is behind, in seconds; 0 when it has everything.
    public func lag(in snapshot: CollectorSnapshot) -> Double {
        let oldest = streams.compactMap { snapshot.buffer[$0].oldestPendingMilliseconds }.min()
        return oldest.map { max(0, Double(snapshot.time - $0) / 1000) } ?? 0
    }
}

extension SyncStatus {
    /// All uploads as one; `nil` of none. What keeps one database's streams from going on is no more than that where there
    /// is another.
    init?(_ uploads: [UploadState]) {
        guard let first = uploads.first else { return nil }
        self = first.status
        guard uploads.count > 1 else { return }
        self = uploads.dropFirst().reduce(first.status.ofStreams(first.streams)) {
            $0.joined(with: $1.status.ofStreams($1.streams))
        }
    }
}
