import MarketData
import Synchronization

/// The frames of one or more captures, merged by time and repeated for the requested number of passes.
final class CaptureSource: FrameSource {
    private static let blockBytes = 256 << 10
    private static let minute: Int64 = 60_000

    private struct Cursor {
        let reader: CaptureReader
        var frame: UnsafeRawBufferPointer?
        var counts = KindCounts()
        var time: Int64 = .min
    }

    private struct State {
        var cursors: [Cursor]
        var passesDone = 0
        var shift: Int64 = 0
        /// The first and the latest recorded time of the current pass.
        var firstTime: Int64?
        var lastTime: Int64 = .min
        /// The latest time of a frame, as sent.
        var sentTime: Int64 = .min
        var scratch: [UInt8] = []
        var isPrimed = false
    }

    private let replay: CaptureReplay
    private let readsEveryTime: Bool
    private let state: Mutex<State>

    init(_ replay: CaptureReplay, pace: SimulatorConfiguration.Pace) throws(SimulatorError) {
        self.replay = replay
        readsEveryTime = replay.files.count > 1 || pace != .flatOut || replay.passes != 1 || replay.start != nil
        var cursors: [Cursor] = []
        for path in replay.files { cursors.append(Cursor(reader: try CaptureReader(path))) }
        state = Mutex(State(cursors: cursors))
    }

    func nextBlock() throws(SimulatorError) -> FrameBlock? {
        try state.withLock { state throws(SimulatorError) in try nextBlock(&state) }
    }

    private func nextBlock(_ state: inout State) throws(SimulatorError) -> FrameBlock? {
        var block = FrameBlock(capacity: Self.blockBytes + (64 << 10))
        while block.byteCount < Self.blockBytes {
            if !state.isPrimed {
                for index in state.cursors.indices { try advance(&state.cursors[index]) }
                state.isPrimed = true
            }
            guard let index = earliest(of: state.cursors), let frame = state.cursors[index].frame else {
                if try startNextPass(&state) { continue }
                break
            }
            append(frame, of: state.cursors[index], to: &block, &state)
            try advance(&state.cursors[index])
        }
        return block.frames.isEmpty && block.skippedStatuses == 0 ? nil : block
    }

    private func append(
        _ frame: UnsafeRawBufferPointer, of cursor: Cursor, to block: inout FrameBlock, _ state: inout State
    ) {
        // At full speed the time only serves to show progress, so the first and the last frame of a block are enough.
        let needsTime = readsEveryTime || block.frames.isEmpty || block.byteCount + frame.count >= Self.blockBytes
        let recorded = needsTime ? cursor.time == .min ? FrameScan.time(of: frame) : cursor.time : nil
        if let recorded, recorded != .min {
            if state.firstTime == nil {
                state.firstTime = recorded
                if state.passesDone == 0, let start = replay.start {
                    state.shift = roundedDown(start) - roundedDown(recorded)
                }
            }
            state.lastTime = max(state.lastTime, recorded)
            state.sentTime = max(state.sentTime, recorded + state.shift)
        }
        var counts = cursor.counts
        let shift = state.shift
        guard shift != 0 || counts[.status] > 0 else {
            block.append(frame, counts: counts, time: max(state.sentTime, 0))
            return
        }
        block.skippedStatuses += counts[.status]
        counts = FrameEditor.rebuild(frame, into: &state.scratch) { event, kind, output in
            if kind == .status { return }
            if shift == 0 || !kind.isSubset(of: .market) {
                output.append(contentsOf: event)
            } else {
                FrameEditor.appendShifted(event, kind: kind, by: shift, to: &output)
            }
        }
        guard counts.total > 0 else { return }
        state.scratch.withUnsafeBytes { block.append($0, counts: counts, time: max(state.sentTime, 0)) }
    }

    private func advance(_ cursor: inout Cursor) throws(SimulatorError) {
        cursor.frame = try cursor.reader.nextLine()
        guard let frame = cursor.frame else { return }
        guard let counts = FrameScan.count(frame) else { throw cursor.reader.malformed(frame) }
        cursor.counts = counts
        if readsEveryTime, let time = FrameScan.time(of: frame) { cursor.time = max(cursor.time, time) }
    }

    /// Returns the cursor with the earliest frame; of several, the one whose file was named first.
    private func earliest(of cursors: [Cursor]) -> Int? {
        var best: Int?
        for index in cursors.indices where cursors[index].frame != nil {
            if let other = best, cursors[other].time <= cursors[index].time { continue }
            best = index
        }
        return best
    }

    /// Goes back to the start of the captures; returns `false` when all passes are done or the last one held no times.
    private func startNextPass(_ state: inout State) throws(SimulatorError) -> Bool {
        state.passesDone += 1
        guard state.passesDone < replay.passes ?? .max, let first = state.firstTime else { return false }
        for index in state.cursors.indices {
            state.cursors[index] = Cursor(reader: try CaptureReader(replay.files[index]))
        }
        state.shift += roundedDown(state.lastTime - first) + Self.minute
        state.firstTime = nil
        state.lastTime = .min
        state.isPrimed = false
        return true
    }

    private func roundedDown(_ milliseconds: Int64) -> Int64 {
        let rest = milliseconds % Self.minute
        return milliseconds - (rest < 0 ? rest + Self.minute : rest)
    }
}
