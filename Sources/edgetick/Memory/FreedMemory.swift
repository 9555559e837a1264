import CMalloc

/// Gives memory that was freed back to the system.
///
/// A pull of a million memberships makes as many small texts, on whichever threads it runs. Freed, they stay in those
/// threads' arenas, one more with each pull: after twelve pulls a collector held 611 MiB.
enum FreedMemory {
    /// Returns the free pages of all arenas; a few milliseconds where there are many.
    static func giveBack() { malloc_trim(0) }
}
