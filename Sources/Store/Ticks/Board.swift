import MarketData
import Synchronization

/// What the buffer's parts know in common, and what statistics show: from memory, under a lock held for moments.
final class Board: Sendable {
    private let statistics = Mutex(BufferStatistics())
    private let handedOut = Mutex(StreamSequences())
    private let uploads = Mutex(UploadLine(id: ""))
    private let generationNumber = Atomic<Int>(0)
    private let listeners = Mutex<[@Sendable () -> Void]>([])

    func update<Result>(_ body: (inout BufferStatistics) -> Result) -> Result {
        statistics.withLock { body(&$0) }
    }

    var current: BufferStatistics { statistics.withLock { $0 } }

    /// Has a function called after each commit of notes: gaps, drops, dead letters.
    func onNotes(_ ring: @escaping @Sendable () -> Void) {
        listeners.withLock { $0.append(ring) }
    }

    /// Tells that notes were committed.
    func notesChanged() {
        for ring in listeners.withLock({ $0 }) { ring() }
    }

    /// What the file knows of its uploads, or is about to.
    var line: UploadLine { uploads.withLock { $0 } }

    /// Changes what the file knows of its uploads.
    func updateLine(_ body: (inout UploadLine) -> Void) {
        uploads.withLock { body(&$0) }
    }

    /// Counts the files opened, so that readers notice a fresh one.
    var generation: Int { generationNumber.load(ordering: .acquiring) }

    /// Has readers open the file again.
    func fileChanged() {
        generationNumber.wrappingAdd(1, ordering: .releasing)
    }

    /// Notes that rows up to a sequence were given to an upload, or stood in the file when it was opened.
    func handOut(_ stream: EventStream, through sequence: Int64) {
        handedOut.withLock { $0[stream] = max($0[stream], sequence) }
    }

    /// The last sequence that an upload can know.
    func lastHandedOut(_ stream: EventStream) -> Int64 {
        handedOut.withLock { $0[stream] }
    }
}
