import MarketData

/// Whether the file and the disk have room for what comes. Reads no clock.
struct RoomState {
    /// With less than this on the disk the log must never hold more than the reserve can take.
    static let tight: Int64 = 64 << 20
    /// How long a full disk isn't tried again, with the policy reject-new.
    static let refusalPause: Duration = .seconds(1)

    /// Whether what comes finds no room, or found some only because other rows had to go.
    private(set) var isFull = false
    /// Whether ``isFull`` because of the disk, not of the file's limit.
    private var isDiskFull = false
    /// Whether the disk has less than ``tight``.
    private(set) var isDiskTight = false
    private var isDiskLow = false
    private var refusedUntil: MonotonicTime?

    /// What statistics show while the file can be written.
    var state: BufferStatistics.State { !isFull ? .writing : isDiskFull ? .diskFull : .full }

    /// Whether the disk refused room, and nothing was written since.
    var isRefused: Bool { refusedUntil != nil }

    /// Whether the disk refused room just now.
    func isRefused(now: MonotonicTime) -> Bool { refusedUntil.map { now < $0 } ?? false }

    /// A write found the disk full.
    mutating func diskIsFull() {
        isFull = true
        isDiskFull = true
    }

    /// Rows made room below the file's limit.
    ///
    /// - Parameter isFull: whether that was not enough, or rows went that waited.
    mutating func madeRoom(isFull: Bool) {
        self.isFull = isFull
        isDiskFull = false
    }

    /// There is room without anything having to go.
    mutating func hasRoom() { isFull = false }

    /// New events were turned away.
    mutating func rejected() { isFull = true }

    /// The disk has no room for what has to be written, though all that may go is gone.
    mutating func refused(now: MonotonicTime) { refusedUntil = now.advanced(by: Self.refusalPause) }

    /// Events were written.
    mutating func wroteEvents() { refusedUntil = nil }

    /// The disk has so many bytes left.
    ///
    /// - Parameter isLow: whether people should make room.
    /// - Returns: Whether `isLow` is news.
    mutating func look(free: Int64, isLow: Bool) -> Bool {
        isDiskTight = free < Self.tight
        defer { isDiskLow = isLow }
        return isLow != isDiskLow
    }
}
