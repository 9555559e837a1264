import CMalloc

/// Gives large blocks of memory back to the system as soon as they are freed.
///
/// glibc does so at first, but each large block that is freed raises the size from which it does, to 32 MiB, and what is
/// smaller stays with the arena of the thread that freed it. Batches on their way upstream have a few megabytes and pass
/// through several threads: at ten times the market's rate 20 to 29 of 37 MiB held by arenas were free.
enum LargeBlocks {
    /// From how many bytes on a block is mapped by itself. A batch takes a handful of such blocks: what mapping them
    /// costs, no benchmark shows.
    static let threshold = 256 << 10

    /// Keeps the threshold where it is, for the whole process.
    ///
    /// - Returns: Whether the allocator took it.
    @discardableResult
    static func returnWhenFreed() -> Bool { mallopt(M_MMAP_THRESHOLD, Int32(threshold)) == 1 }
}
