/// Decides, frame by frame, what goes wrong on one connection; it counts the frames but carries nothing out.
struct FaultPlan {
    /// What is added before a frame.
    enum Addition: Equatable {
        case malformed(number: Int)
        case compressedLooking
        case oversize(bytes: Int)
    }

    /// How the connection ends, or falls silent, after a frame.
    enum Ending: Equatable {
        case drop
        case reset
        case stall
        case close(code: UInt16)
        case slowConsumer
    }

    /// What happens around one frame.
    struct Decision: Equatable {
        var additions: [Addition] = []
        var isSentTwice = false
        /// Whether the frame is put into the connection's queue, and whether the first frame of the queue is then sent.
        var isQueued = false
        var sendsFirst = false
        var ending: Ending?
    }

    private let faults: [Fault]
    private var frames = 0
    private var malformed = 0
    /// The number of frames since the client began to count as slow, and how many of them wait.
    private var slowed = 0
    private var queued = 0

    init(_ faults: [Fault]) {
        self.faults = faults.filter(\.actsOnFrames)
    }

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
                decision.additions.append(.malformed(number: malformed))
                malformed += 1
            case .compressedLooking(let frame) where frames >= frame && spent.insert(index).inserted:
                decision.additions.append(.compressedLooking)
            case .oversize(let bytes, let frame) where frames >= frame && spent.insert(index).inserted:
                decision.additions.append(.oversize(bytes: bytes))
            case .duplicateEvery(let count) where frames % count == 0: decision.isSentTwice = true
            case .dropEvery(let count) where frames % count == 0: decision.ending = .drop
            case .resetEvery(let count) where frames % count == 0: decision.ending = .reset
            case .stallAfter(let count) where frames >= count && spent.insert(index).inserted:
                decision.ending = .stall
            case .closeCode(let code, let count) where frames >= count && spent.insert(index).inserted:
                decision.ending = .close(code: code)
            case .slowConsumer(let limit, let frame)
            where slowed > 0 || frames >= frame && spent.insert(index).inserted:
                slowed += 1
                decision.isQueued = true
                decision.sendsFirst = slowed % 8 == 0
                queued += decision.sendsFirst ? 0 : 1
                if queued >= limit { decision.ending = .slowConsumer }
            default: break
            }
        }
        return decision
    }
}
