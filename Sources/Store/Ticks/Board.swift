import MarketData
import Synchronization

/// What the buffer's parts share, and what statistics show: in memory, under locks that are held briefly.
final class Board: Sendable {
    private let statistics: Mutex<BufferStatistics>
    private let handedOut: Mutex<StreamSequences>
    private let uploads: Mutex<UploadLine>
    private let firstDamage = Mutex<StoreError?>(nil)
    private let generationNumber = Atomic<Int>(0)
    private let listeners = Mutex<[@Sendable () -> Void]>([])

    init(_ opened: OpenedTicks, setAside: [String]) {
        var statistics = opened.totals
        statistics.setAside = setAside
        statistics.latestReceipt = opened.greatestReceipt / 1000
        // When they are stored, they are not counted again.
        statistics.recordedGaps += Int64(opened.carried.gaps.count)
        for (stream, marks) in opened.contents.streams { statistics[stream].marks = marks }
        self.statistics = Mutex(statistics)
        handedOut = Mutex(statistics.lastSequences)
        uploads = Mutex(opened.line)
    }

    func update<Result>(_ body: (inout BufferStatistics) -> Result) -> Result { statistics.withLock { body(&$0) } }

    var current: BufferStatistics { statistics.withLock { $0 } }

    /// Registers a function to be called after each commit of notes: gaps, drops, dead letters.
    func onNotes(_ ring: @escaping @Sendable () -> Void) { listeners.withLock { $0.append(ring) } }

    /// Calls the functions registered for notes.
    func notesChanged() {
        for ring in listeners.withLock({ $0 }) { ring() }
    }

    /// What the file knows of its uploads, or is about to.
    var line: UploadLine { uploads.withLock { $0 } }

    /// Changes what the file knows of its uploads.
    func updateLine(_ body: (inout UploadLine) -> Void) { uploads.withLock { body(&$0) } }

    /// The damage that was found first in a file that stays in its place.
    var damage: StoreError? { firstDamage.withLock { $0 } }

    /// Records damage of a file that stays in its place.
    func found(_ damage: StoreError) { firstDamage.withLock { $0 = $0 ?? damage } }

    /// The number of times the file was opened again, by which readers notice a fresh one.
    var generation: Int { generationNumber.load(ordering: .acquiring) }

    /// Has readers open the file again.
    func fileChanged() { generationNumber.wrappingAdd(1, ordering: .releasing) }

    /// Records that rows up to a sequence were given to an upload, or were in the file when it was opened.
    func handOut(_ stream: EventStream, through sequence: Int64) {
        handedOut.withLock { $0[stream] = max($0[stream], sequence) }
    }

    /// The last sequence that an upload can know.
    func lastHandedOut(_ stream: EventStream) -> Int64 { handedOut.withLock { $0[stream] } }
}
