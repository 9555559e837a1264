import MarketData

/// Whether the file and the disk have room for new events. Reads no clock.
struct RoomState {
    /// With less than this on the disk, in bytes, the log must never hold more than the reserve can take.
    static let tight: Int64 = 64 << 20
    /// How long to wait before a full disk is tried again, with the policy reject-new.
    static let refusalPause: Duration = .seconds(1)

    /// Whether new events find no room, or found some only because other rows were deleted.
    private(set) var isFull = false
    /// Whether ``isFull`` is due to the disk rather than the file's limit.
    private var isDiskFull = false
    /// Whether the disk has less than ``tight`` left.
    private(set) var isDiskTight = false
    private var isDiskLow = false
    private var refusedUntil: MonotonicTime?

    /// What statistics show while the file can be written.
    var state: BufferStatistics.State { !isFull ? .writing : isDiskFull ? .diskFull : .full }

    /// Whether the disk was full and no event was written since.
    var isRefused: Bool { refusedUntil != nil }

    /// Whether the disk was full within the last ``refusalPause``.
    func isRefused(now: MonotonicTime) -> Bool { refusedUntil.map { now < $0 } ?? false }

    /// A write found the disk full.
    mutating func diskIsFull() {
        isFull = true
        isDiskFull = true
    }

    /// Rows were deleted to get below the file's limit.
    ///
    /// - Parameter isFull: Whether that was not enough, or rows that waited were deleted.
    mutating func madeRoom(isFull: Bool) {
        self.isFull = isFull
        isDiskFull = false
    }

    /// There is room without deleting anything.
    mutating func hasRoom() { isFull = false }

    /// New events were rejected.
    mutating func rejected() { isFull = true }

    /// The disk has no room for what has to be written, although everything that may be deleted is gone.
    mutating func refused(now: MonotonicTime) { refusedUntil = now.advanced(by: Self.refusalPause) }

    /// Events were written.
    mutating func wroteEvents() { refusedUntil = nil }

    /// Records how many bytes the disk has left.
    ///
    /// - Parameter isLow: Whether a person should make room.
    /// - Returns: Whether `isLow` has changed.
    mutating func look(free: Int64, isLow: Bool) -> Bool {
        isDiskTight = free < Self.tight
        defer { isDiskLow = isLow }
        return isLow != isDiskLow
    }
}
