public import Store

/// Where groups and their members are read from: the mirror file, or a cache that stands before it.
public protocol GroupSource: Sendable {
    /// The groups of an environment, or of all with `nil`. May read the disk.
    func groups(environment: String?) throws(StoreError) -> [UniverseGroup]

    /// The members of one group. May read the disk.
    func members(of groupID: Int64) throws(StoreError) -> [GroupMember]
}

extension UniverseMirror: GroupSource {}
