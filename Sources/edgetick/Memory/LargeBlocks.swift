import CMalloc

/// Gives large blocks of memory back to the system as soon as they are freed.
///
/// glibc does so at first, but each large block that is freed raises the threshold, up to 32 MiB, and smaller blocks
/// stay in an arena. Batches on their way upstream take a few megabytes and pass through several threads: at ten times
/// the market's rate, 20 to 29 of the 37 MiB held by arenas were free.
enum LargeBlocks {
    /// The size in bytes from which a block gets its own mapping. A batch takes only a handful of such blocks; no
    /// benchmark shows the cost of mapping them.
    static let threshold = 256 << 10

    /// Fixes the threshold for the whole process.
    ///
    /// - Returns: Whether the allocator took it.
    @discardableResult
    static func returnWhenFreed() -> Bool { mallopt(M_MMAP_THRESHOLD, Int32(threshold)) == 1 }
}
