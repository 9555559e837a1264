import MarketData
import Synchronization

/// Sends a share of another source's bars twice: first with half the volume, and some frames later unchanged.
///
/// The newest version of every bar is therefore the source's own. Which bars are sent twice, and how much later,
/// depends only on their position in the source.
final class CorrectionSource: FrameSource {
    private struct Correction {
        var text: [UInt8]
        var kind: KindSet
        var key: [UInt8]
        var dueFrame: Int
    }

    private struct State {
        var frame = 0
        /// The corrections not yet sent, in the order in which they were made.
        var waiting: [Correction] = []
        var keys: Set<[UInt8]> = []
        var lastTime: Int64 = 0
        var isFlushed = false
        var scratch: [UInt8] = []
    }

    private let source: any FrameSource
    private let threshold: UInt64
    private let state = Mutex(State())

    init(_ source: any FrameSource, share: Double) {
        self.source = source
        threshold = share >= 1 ? .max : UInt64(share * 0x1p64)
    }

    var isLive: Bool { source.isLive }

    func nextBlock() throws(SimulatorError) -> FrameBlock? {
        try state.withLock { state throws(SimulatorError) in
            guard let block = try source.nextBlock() else {
                guard !state.isFlushed, !state.waiting.isEmpty else { return nil }
                state.isFlushed = true
                var last = FrameBlock(capacity: 64 << 10)
                release(&state, into: &last, upTo: .max)
                return last
            }
            return rewritten(block, &state)
        }
    }

    private func rewritten(_ block: FrameBlock, _ state: inout State) -> FrameBlock {
        var result = FrameBlock(capacity: block.byteCount + (64 << 10))
        result.skippedStatuses = block.skippedStatuses
        result.corrections = block.corrections
        for frame in block.frames {
            state.frame += 1
            state.lastTime = frame.time
            block.withText(of: frame) { text in
                let hasBars = !frame.kinds.isDisjoint(with: .bars)
                let overtakes = hasBars && holdsWaitingBar(text, state)
                release(&state, into: &result, upTo: overtakes ? .max : state.frame)
                if hasBars {
                    appendPreliminary(text, &state, &result)
                } else {
                    result.append(text, counts: frame.counts, time: frame.time)
                }
            }
        }
        return result
    }

    private func appendPreliminary(_ text: UnsafeRawBufferPointer, _ state: inout State, _ result: inout FrameBlock) {
        var random = SeededRandom(seed: UInt64(state.frame))
        let repeated = repeatedBars(in: text)
        var chosen: [Correction] = []
        let counts = FrameEditor.rebuild(text, into: &state.scratch) { event, kind, output in
            let draw = random.next()
            let lag = 5 + Int(random.next() % 40)
            let before = output.count
            if kind.isSubset(of: .bars), draw < threshold {
                let key = key(of: event, kind)
                if !repeated.contains(key) { FrameEditor.appendPreliminary(event, to: &output) }
                if output.count > before {
                    chosen.append(Correction(text: Array(event), kind: kind, key: key, dueFrame: state.frame + lag))
                }
            }
            if output.count == before { output.append(contentsOf: event) }
        }
        state.keys.formUnion(chosen.map(\.key))
        state.waiting += chosen
        result.corrections += chosen.count
        state.scratch.withUnsafeBytes { result.append($0, counts: counts, time: state.lastTime) }
    }

    /// Returns the bars of which the frame holds several versions; they are left unchanged.
    private func repeatedBars(in text: UnsafeRawBufferPointer) -> Set<[UInt8]> {
        var seen: Set<[UInt8]> = []
        var repeated: Set<[UInt8]> = []
        _ = FrameScan.forEachEvent(text) { event in
            let key = key(of: UnsafeRawBufferPointer(rebasing: text[event.range]), event.kind)
            if !seen.insert(key).inserted { repeated.insert(key) }
        }
        return repeated
    }

    /// Whether the frame holds a newer version of a bar whose correction still waits; the correction must then go
    /// first.
    private func holdsWaitingBar(_ text: UnsafeRawBufferPointer, _ state: State) -> Bool {
        guard !state.keys.isEmpty else { return false }
        var found = false
        _ = FrameScan.forEachEvent(text) { event in
            guard !found, event.kind.isSubset(of: .bars) else { return }
            found = state.keys.contains(key(of: UnsafeRawBufferPointer(rebasing: text[event.range]), event.kind))
        }
        return found
    }

    private func release(_ state: inout State, into block: inout FrameBlock, upTo frame: Int) {
        guard state.waiting.contains(where: { $0.dueFrame <= frame }) else { return }
        for correction in state.waiting where correction.dueFrame <= frame {
            let text = [UInt8(ascii: "[")] + correction.text + [UInt8(ascii: "]")]
            var counts = KindCounts()
            counts.add(correction.kind)
            text.withUnsafeBytes { block.append($0, counts: counts, time: state.lastTime) }
            state.keys.remove(correction.key)
        }
        state.waiting.removeAll { $0.dueFrame <= frame }
    }

    private func key(of event: UnsafeRawBufferPointer, _ kind: KindSet) -> [UInt8] {
        var key = [UInt8(truncatingIfNeeded: kind.index)]
        for field in ["sym", "s"] as [StaticString] {
            key.append(0)
            if let value = ObjectFields.value(of: field, in: event) { key.append(contentsOf: event[value]) }
        }
        return key
    }
}
