import FeedServer
import NIOCore

/// What is about to be handed to one client.
struct Outgoing {
    var bytes = ByteBuffer()
    var frames = 0
    var counts = KindCounts()

    static func += (left: inout Outgoing, right: Outgoing) {
        left.bytes.writeImmutableBuffer(right.bytes)
        left.frames += right.frames
        left.counts += right.counts
    }

    /// Adds what the client wants of a frame; returns whether it wants any.
    @discardableResult
    mutating func append(
        _ frame: FrameBlock.Frame, of block: FrameBlock, _ filter: FrameFilter, fragmentBytes: Int? = nil
    ) -> Bool {
        switch filter.filter(frame, of: block) {
        case .nothing: return false
        case .whole:
            block.withText(of: frame) { write($0, fragmentBytes) }
            counts += frame.counts
        case .cut(let runs, let cutCounts):
            let text = block.withText(of: frame) { FrameFilter.joined(runs, of: $0) }
            text.withUnsafeBytes { write($0, fragmentBytes) }
            counts += cutCounts
        }
        frames += 1
        return true
    }

    private mutating func write(_ text: UnsafeRawBufferPointer, _ fragmentBytes: Int?) {
        if let fragmentBytes, text.count > fragmentBytes {
            WireFrame.appendFragmented(text, size: fragmentBytes, to: &bytes)
        } else {
            WireFrame.append(.text, text, to: &bytes)
        }
    }
}

/// Passes one client's frames through the faults of its connection.
struct FaultyLane {
    let client: ReplayClient
    private let filter: FrameFilter
    private let fragmentBytes: Int?
    private(set) var output = Outgoing()
    /// The number of faults carried out, by name.
    private(set) var faults: [String: Int] = [:]
    /// How the connection ends, once it is known.
    private(set) var ending: FaultPlan.Ending?

    init(_ client: ReplayClient) {
        self.client = client
        filter = client.filter
        fragmentBytes = client.fragmentBytes
    }

    /// Adds a frame and what the faults add to it; a frame that the client doesn't want isn't counted.
    mutating func append(_ frame: FrameBlock.Frame, of block: FrameBlock, _ spent: inout Set<Int>) {
        guard filter.filter(frame, of: block) != .nothing else { return }
        let decision = client.nextDecision(spent: &spent)
        for addition in decision.additions { add(addition) }
        if decision.isQueued {
            var late = Outgoing()
            late.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
            if let first = client.queue(late, sendsFirst: decision.sendsFirst) { output += first }
        } else {
            output.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
        }
        if fragmentBytes.map({ frame.end - frame.textStart > $0 }) == true { faults["fragment", default: 0] += 1 }
        if decision.isSentTwice {
            output.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
            faults["duplicate-every", default: 0] += 1
        }
        ending = decision.ending
        if let ending { faults[name(of: ending), default: 0] += 1 }
    }

    /// Ends the connection, or lets it fall silent, as decided.
    func carryOutEnding() {
        switch ending {
        case nil: break
        case .drop: client.connection.drop()
        case .reset: client.connection.reset()
        case .stall: client.stall()
        case .close(let code): client.connection.close(code: code, reason: "simulated fault (close-code)")
        case .slowConsumer: client.connection.close(code: 1008, reason: "slow consumer", status: .tooSlow)
        }
    }

    private mutating func add(_ addition: FaultPlan.Addition) {
        switch addition {
        case .malformed(let number):
            faults["malformed-every", default: 0] += 1
            output.bytes.writeImmutableBuffer(WireFrame.text(MalformedFrames.frame(number)))
        case .compressedLooking:
            faults["compressed-looking", default: 0] += 1
            let bytes = MalformedFrames.compressed
            WireFrame.appendHeader(.text, isCompressed: true, length: bytes.count, to: &output.bytes)
            output.bytes.writeBytes(bytes)
        case .oversize(let count):
            faults["oversize", default: 0] += 1
            WireFrame.appendHeader(.text, length: count, to: &output.bytes)
            output.bytes.writeRepeatingByte(UInt8(ascii: " "), count: max(0, count - 2))
            output.bytes.writeString(count >= 2 ? "[]" : " ")
        }
    }

    private func name(of ending: FaultPlan.Ending) -> String {
        switch ending {
        case .drop: "drop-every"
        case .reset: "reset-every"
        case .stall: "stall-after"
        case .close: "close-code"
        case .slowConsumer: "slow-consumer"
        }
    }
}
