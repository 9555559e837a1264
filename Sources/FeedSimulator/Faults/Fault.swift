public import MarketData

/// Something that the simulated feed does wrong on request.
///
/// Frames are counted per connection from 1; frames that a fault adds don't count. "Once" means once in the simulator's
/// life: the next connection is spared. Nothing that a fault adds can be decoded as an event, and no event of the
/// source is left out. So after every fault but `reset-every`, a client that reconnects can end up with exactly what
/// the source holds (see ``SimulatorConfiguration/Absence/pauses``).
public enum Fault: Sendable, Equatable {
    /// Ends the connection without a close message after every N frames; what was sent before still arrives.
    case dropEvery(frames: Int)
    /// Resets the connection (TCP RST) after every N frames; data in flight may be lost.
    case resetEvery(frames: Int)
    /// Stops sending on a connection after this many frames, but leaves it open; once.
    case stallAfter(frames: Int)
    /// Answers this many logins (`nil`: all) with `auth_failed`, whatever the key.
    case badLogin(times: Int?)
    /// Leaves this many logins (`nil`: all) unanswered until `auth_timeout`.
    case authTimeout(times: Int?)
    /// Allows at most this many logins with one key at a time.
    case connectionLimit(Int)
    /// Adds an invalid frame before every Nth frame, cycling through several kinds.
    case malformedEvery(frames: Int)
    /// Sends every Nth frame twice.
    case duplicateEvery(frames: Int)
    /// Sends this share of the bars, from 0 to 1, first with a smaller volume and some frames later unchanged.
    case lateCorrections(share: Double)
    /// Closes the connection with this close code after this many frames; once.
    case closeCode(UInt16, afterFrames: Int)
    /// From this frame of a connection on, queues the frames, as for a client that reads too slowly, and sends only one
    /// for every eight. When `queued` frames wait, they are discarded and the connection is closed with
    /// `slow_consumer`; once.
    case slowConsumer(queued: Int, frame: Int)
    /// Splits every frame into fragments of this many bytes.
    case fragment(bytes: Int)
    /// Leaves the clients' pings unanswered.
    case noPongs
    /// Refuses subscriptions to this symbol with `not authorized`.
    case refuseSymbol(Symbol)
    /// Adds a frame marked as compressed, which was not negotiated, before this frame of a connection; once.
    case compressedLooking(frame: Int)
    /// Adds a frame of this many bytes before this frame of a connection; once.
    case oversize(bytes: Int, frame: Int)

    /// The fault's name in text, and in ``SimulatorStatistics/faults``.
    public var name: String {
        switch self {
        case .dropEvery: "drop-every"
        case .resetEvery: "reset-every"
        case .stallAfter: "stall-after"
        case .badLogin: "bad-login"
        case .authTimeout: "auth-timeout"
        case .connectionLimit: "connection-limit"
        case .malformedEvery: "malformed-every"
        case .duplicateEvery: "duplicate-every"
        case .lateCorrections: "late-corrections"
        case .closeCode: "close-code"
        case .slowConsumer: "slow-consumer"
        case .fragment: "fragment"
        case .noPongs: "no-pongs"
        case .refuseSymbol: "refuse-symbol"
        case .compressedLooking: "compressed-looking"
        case .oversize: "oversize"
        }
    }

    /// Whether the fault acts on the frames of a connection, one by one.
    var actsOnFrames: Bool {
        switch self {
        case .dropEvery, .resetEvery, .stallAfter, .malformedEvery, .duplicateEvery, .closeCode, .slowConsumer,
            .fragment, .compressedLooking, .oversize:
            true
        case .badLogin, .authTimeout, .connectionLimit, .lateCorrections, .noPongs, .refuseSymbol: false
        }
    }
}
