import Foundation
import MarketData

/// Ways to damage a copy of a file; the seed decides where.
enum Damage: String, CaseIterable, Sendable {
    case bitFlip = "a flipped bit"
    case garbagePage = "a page of garbage"
    case zeroPage = "a page of zeros"
    case garbageRun = "several pages of garbage in a row"
    case cut = "the file's end is cut off"
    case header = "the first page is garbage"

    /// Damages the bytes of a file and returns the pages that may have changed, counted from 1.
    func harm(_ bytes: inout Data, seed: UInt64) -> ClosedRange<Int> {
        var random = SeededRandom(seed: seed)
        let pages = bytes.count / 4096
        func overwrite(_ range: ClosedRange<Int>, with byte: (inout SeededRandom) -> UInt8) {
            for offset in (range.lowerBound - 1) * 4096..<min(bytes.count, range.upperBound * 4096) {
                bytes[offset] = byte(&random)
            }
        }
        switch self {
        case .bitFlip:
            let offset = Int.random(in: 0..<bytes.count, using: &random)
            bytes[offset] ^= 1 << UInt8.random(in: 0...7, using: &random)
            return offset / 4096 + 1...offset / 4096 + 1
        case .garbagePage, .zeroPage:
            let page = Int.random(in: 2...pages, using: &random)
            overwrite(page...page) { self == .zeroPage ? 0 : UInt8.random(in: 0...255, using: &$0) }
            return page...page
        case .garbageRun:
            let first = Int.random(in: 2...pages - 4, using: &random)
            overwrite(first...first + 3) { UInt8.random(in: 0...255, using: &$0) }
            return first...first + 3
        case .cut:
            let left = Int.random(in: 4096 * 3..<bytes.count, using: &random)
            bytes = bytes.prefix(left)
            return left / 4096 + 1...pages
        case .header:
            overwrite(1...1) { UInt8.random(in: 0...255, using: &$0) }
            return 1...1
        }
    }
}
