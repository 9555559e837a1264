import FeedServer

/// Picks from a frame the events that a client has subscribed to.
struct FrameFilter {
    enum Result: Equatable {
        case nothing
        case whole
        /// The ranges to be joined with commas between brackets.
        case cut([Range<Int>], KindCounts)
    }

    let subscriptions: Subscriptions

    func filter(_ frame: FrameBlock.Frame, of block: FrameBlock) -> Result {
        if subscriptions.wantsAll(of: frame.kinds) { return .whole }
        if subscriptions.wantsNone(of: frame.kinds) { return .nothing }
        return block.withText(of: frame) { text in cut(text) }
    }

    private func cut(_ text: UnsafeRawBufferPointer) -> Result {
        var runs: [Range<Int>] = []
        var counts = KindCounts()
        var isOpen = false
        var isWhole = true
        _ = FrameScan.forEachEvent(text) { event in
            let isWanted = subscriptions.wants(event.kind) {
                FrameScan.symbol(of: UnsafeRawBufferPointer(rebasing: text[event.range]))
            }
            if isWanted {
                counts.add(event.kind)
                // Adjacent events share one range, which includes the comma between them.
                if isOpen {
                    runs[runs.count - 1] = runs[runs.count - 1].lowerBound..<event.range.upperBound
                } else {
                    runs.append(event.range)
                }
            } else {
                isWhole = false
            }
            isOpen = isWanted
        }
        if runs.isEmpty { return .nothing }
        return isWhole ? .whole : .cut(runs, counts)
    }

    /// Returns the text of a frame that was cut.
    static func joined(_ runs: [Range<Int>], of text: UnsafeRawBufferPointer) -> [UInt8] {
        var joined: [UInt8] = []
        joined.reserveCapacity(runs.reduce(2) { $0 + $1.count + 1 })
        for run in runs {
            joined.append(UInt8(ascii: joined.isEmpty ? "[" : ","))
            joined.append(contentsOf: text[run])
        }
        joined.append(UInt8(ascii: "]"))
        return joined
    }
}
