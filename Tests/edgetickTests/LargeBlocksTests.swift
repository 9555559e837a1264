import Glibc
import Testing

@testable import edgetick

@Suite struct LargeBlocksTests {
    // In a process of its own: one that has freed large blocks before may have room for these.
    @Test func `a large block is mapped by itself also after a larger one was freed`() async {
        await #expect(processExitsWith: .success) {
            guard LargeBlocks.returnWhenFreed() else { exit(3) }
            for count in [24 << 20, 16 << 20, 8 << 20] {
                guard let block = malloc(count), LargeBlocksTests.isMapped(block) else { exit(4) }
                free(block)
            }
            guard let small = malloc(4096), !LargeBlocksTests.isMapped(small) else { exit(5) }
        }
    }

    /// What glibc notes before each block: its size, whose second lowest bit says that it was mapped by itself.
    private static func isMapped(_ block: UnsafeMutableRawPointer) -> Bool {
        (block - MemoryLayout<UInt>.size).load(as: UInt.self) & 2 != 0
    }
}
