import CMalloc

/// Returns freed memory to the system.
///
/// A pull of a million memberships makes as many small strings, on whichever threads it runs. Once freed, they stay in
/// those threads' arenas, and each pull may add another arena: after twelve pulls a collector held 611 MiB.
enum FreedMemory {
    /// Returns the free pages of all arenas; takes a few milliseconds if there are many.
    static func giveBack() { malloc_trim(0) }
}
