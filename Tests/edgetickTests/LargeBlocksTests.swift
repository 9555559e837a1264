import Glibc
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct LargeBlocksTests {
    // In a separate process: one that has freed large blocks before may have room for these.
    @Test func `a large block is mapped by itself also after a larger one was freed`() async throws {
        guard FreshProcess.isThis else { return try await FreshProcess.run("LargeBlocksTests") }
        try #require(LargeBlocks.returnWhenFreed())
        for count in [24 << 20, 16 << 20, 8 << 20] {
            let block = try #require(malloc(count))
            #expect(Self.isMapped(block))
            free(block)
        }
        let small = try #require(malloc(4096))
        #expect(!Self.isMapped(small))
        free(small)
    }

    /// What glibc notes before each block: its size, whose second lowest bit says that it was mapped by itself.
    private static func isMapped(_ block: UnsafeMutableRawPointer) -> Bool {
        (block - MemoryLayout<UInt>.size).load(as: UInt.self) & 2 != 0
    }
}
