import Collector
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct ShardMembersTests {
    @Test func `the last assignment is read as it was stored, for its own group`() throws {
        let workspace = try Workspace()
        #expect(ShardMembers.read(directory: workspace.path, group: "nyc") == nil)
        let record = ShardRecord(members: ["a", "b", "c"], lapsed: ["c": 1_795_000_000_000])
        ShardMembers.write(record, directory: workspace.path, group: "nyc")
        #expect(ShardMembers.read(directory: workspace.path, group: "nyc") == record)
        #expect(ShardMembers.read(directory: workspace.path, group: "other") == nil)
    }

    @Test func `a file of an earlier version, which has members alone, is read, and one with anything else is not`()
        throws
    {
        let workspace = try Workspace()
        _ = try workspace.write("nyc\na\nb", to: "shard.members")
        #expect(ShardMembers.read(directory: workspace.path, group: "nyc") == ShardRecord(members: ["a", "b"]))
        for text in ["", "nyc", "nyc\na\n/etc", "nyc x\na", "nyc\na x", "nyc\na -9223372036854775808", "nyc\na 1 2"] {
            _ = try workspace.write(text, to: "shard.members")
            #expect(ShardMembers.read(directory: workspace.path, group: "nyc") == nil, "\(text)")
        }
    }
}
