import Glibc
import Testing

@testable import edgetick

@Suite struct LargeBlocksTests {
    @Test func `a large block is mapped by itself also after a larger one was freed`() throws {
        #expect(LargeBlocks.returnWhenFreed())
        for count in [24 << 20, 16 << 20, 8 << 20] {
            let block = try #require(malloc(count))
            #expect(isMapped(block), "\(count) bytes")
            free(block)
        }
        let small = try #require(malloc(4096))
        #expect(!isMapped(small))
        free(small)
    }

    /// What glibc notes before each block: its size, whose second lowest bit says that it was mapped by itself.
    private func isMapped(_ block: UnsafeMutableRawPointer) -> Bool {
        (block - MemoryLayout<UInt>.size).load(as: UInt.self) & 2 != 0
    }
}
