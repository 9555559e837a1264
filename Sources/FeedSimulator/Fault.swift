public import MarketData

/// Something that the simulated feed does wrong on request.
///
/// Frames are counted for each connection from 1, without what a fault adds. "Once" means once in the simulator's
/// life: the connection that follows is spared. Nothing that a fault adds can be decoded as an event, and nothing that
/// the source holds is left out, so after every fault but `reset-every` a client that reconnects can end with exactly
/// what the source holds (see ``SimulatorConfiguration/Absence/pauses``).
public enum Fault: Sendable, Equatable {
    /// Ends the connection without a close message after every so many frames; what was sent arrives.
    case dropEvery(frames: Int)
    /// Resets the connection (TCP RST) after every so many frames; what was on its way may be lost.
    case resetEvery(frames: Int)
    /// Sends nothing more on a connection after so many frames, and leaves it open; once.
    case stallAfter(frames: Int)
    /// Answers so many logins, or all, with `auth_failed`, whatever the key.
    case badLogin(times: Int?)
    /// Leaves so many logins, or all, unanswered until `auth_timeout`.
    case authTimeout(times: Int?)
    /// Allows so many logins with one key at once.
    case connectionLimit(Int)
    /// Adds a frame that is not valid, of several sorts in turn, before every so many frames.
    case malformedEvery(frames: Int)
    /// Sends a frame twice, every so many frames.
    case duplicateEvery(frames: Int)
    /// Sends this share of the bars, from 0 to 1, first with a smaller volume, and as they are a few frames later.
    case lateCorrections(share: Double)
    /// Closes the connection with a close code after so many frames; once.
    case closeCode(UInt16, afterFrames: Int)
    /// Lets frames queue up from a connection's frame of this number on, as for a client that reads too slowly: one in eight
    /// goes out, late. When so many wait they are thrown away, and the connection is closed with `slow_consumer`; once.
    case slowConsumer(queued: Int, frame: Int)
    /// Splits every frame into fragments of so many bytes.
    case fragment(bytes: Int)
    /// Leaves the clients' pings unanswered.
    case noPongs
    /// Answers subscriptions of a symbol with `not authorized`.
    case refuseSymbol(Symbol)
    /// Adds a frame marked as compressed, which nobody negotiated, before a connection's frame of this number; once.
    case compressedLooking(frame: Int)
    /// Adds a frame of so many bytes before a connection's frame of this number; once.
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
