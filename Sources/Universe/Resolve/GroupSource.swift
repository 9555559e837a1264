public import Store

/// Where groups and their symbols are read from while one key is resolved: a snapshot of the mirror file.
public protocol GroupSource {
    /// All groups' names. May read the disk.
    func headings() throws(StoreError) -> [GroupHeading]

    /// The members of one group as symbols, sorted. May read the disk.
    func symbols(of groupID: Int64) throws(StoreError) -> GroupSymbols
}

extension UniverseMirror.Snapshot: GroupSource {}
