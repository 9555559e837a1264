import FeedServer
import NIOCore

/// Decides, frame by frame, what goes wrong on one connection; it counts the frames but carries nothing out.
struct FaultPlan {
    struct Decision {
        /// What is sent before the frame, and the faults that add it.
        var addition = ByteBuffer()
        var adding: [Fault] = []
        var isSentTwice = false
        /// Whether the frame is put into the connection's queue, and whether the first frame of the queue is then sent.
        var isQueued = false
        var sendsFirst = false
        /// The fault by which the connection ends, or falls silent, after the frame.
        var ending: Fault?
    }

    private let faults: [Fault]
    private var frames = 0
    private var malformed = 0
    /// The number of frames since the client began to count as slow, and how many of them are queued.
    private var slowed = 0
    private var queued = 0

    init(_ faults: [Fault]) { self.faults = faults.filter(\.actsOnFrames) }

    /// Whether frames pass as they are.
    var isEmpty: Bool { faults.isEmpty }

    /// The size of the fragments that frames are split into; `nil` leaves them whole.
    var fragmentBytes: Int? {
        for case .fragment(let bytes) in faults { return bytes }
        return nil
    }

    /// Decides about the connection's next frame; `spent` holds the indices of the one-time faults that have happened.
    mutating func nextFrame(spent: inout Set<Int>) -> Decision {
        frames += 1
        var decision = Decision()
        for (index, fault) in faults.enumerated() {
            switch fault {
            case .malformedEvery(let count) where frames % count == 0:
                decision.adding.append(fault)
                decision.addition.writeImmutableBuffer(WireFrame.text(MalformedFrames.frame(malformed)))
                malformed += 1
            case .compressedLooking(let frame) where frames >= frame && spent.insert(index).inserted:
                decision.adding.append(fault)
                let bytes = MalformedFrames.compressed
                WireFrame.appendHeader(.text, isCompressed: true, length: bytes.count, to: &decision.addition)
                decision.addition.writeBytes(bytes)
            case .oversize(let count, let frame) where frames >= frame && spent.insert(index).inserted:
                decision.adding.append(fault)
                WireFrame.appendHeader(.text, length: count, to: &decision.addition)
                decision.addition.writeRepeatingByte(UInt8(ascii: " "), count: max(0, count - 2))
                decision.addition.writeString(count >= 2 ? "[]" : " ")
            case .duplicateEvery(let count) where frames % count == 0: decision.isSentTwice = true
            case .dropEvery(let count) where frames % count == 0, .resetEvery(let count) where frames % count == 0:
                decision.ending = fault
            case .stallAfter(let count) where frames >= count && spent.insert(index).inserted,
                .closeCode(_, let count) where frames >= count && spent.insert(index).inserted:
                decision.ending = fault
            case .slowConsumer(let limit, let frame)
            where slowed > 0 || frames >= frame && spent.insert(index).inserted:
                slowed += 1
                decision.isQueued = true
                decision.sendsFirst = slowed % 8 == 0
                queued += decision.sendsFirst ? 0 : 1
                if queued >= limit { decision.ending = fault }
            default: break
            }
        }
        return decision
    }
}
