import MarketData
import NIOCore

/// What is packed for one reader, or for one reader's replay that is about to join the live events.
final class Lane {
    /// The reader that it belongs to.
    let reader: Int
    /// The replay that the events wait for; `nil` when they are sent at once.
    let replay: Int?
    private(set) var frames = EventFrames()
    /// Frames packed for all who want every event of a kind.
    private(set) var shared: [ByteBuffer] = []
    private var sharedEvents = 0
    /// The kinds that are wanted whatever the symbol.
    var wildcards: Set<EventKind> = []
    /// Whether past events came before the live ones, so that none between them may be missing.
    var followsReplay: Bool

    init(reader: Int, replay: Int? = nil) {
        self.reader = reader
        self.replay = replay
        followsReplay = replay != nil
    }

    func append(_ event: UnsafeRawBufferPointer) { frames.append(event) }

    func append(shared buffer: ByteBuffer, events: Int) {
        shared.append(buffer)
        sharedEvents += events
    }

    /// Takes out what was packed.
    func take() -> (parts: [ByteBuffer], events: Int) {
        var parts = shared
        let events = sharedEvents + frames.events
        shared = []
        sharedEvents = 0
        if !frames.isEmpty { parts.append(frames.take()) }
        return (parts, events)
    }
}

/// Which lanes want which events.
struct LaneIndex {
    private var wildcards: [EventKind: [Lane]] = [:]
    private var symbols: [FeedChannel: [Lane]] = [:]
    /// How many symbols of a kind are wanted by name.
    private var named: [EventKind: Int] = [:]

    /// The kinds of which anything is wanted.
    private(set) var kinds: KindSet = []

    mutating func add(_ lane: Lane, to channel: FeedChannel) {
        if channel.symbol == nil {
            lane.wildcards.insert(channel.kind)
            wildcards[channel.kind, default: []].append(lane)
        } else {
            if symbols[channel] == nil { named[channel.kind, default: 0] += 1 }
            symbols[channel, default: []].append(lane)
        }
        kinds.insert(KindSet(channel.kind))
    }

    mutating func remove(_ lane: Lane, from channel: FeedChannel) {
        if channel.symbol == nil {
            lane.wildcards.remove(channel.kind)
            wildcards[channel.kind]?.removeAll { $0 === lane }
            if wildcards[channel.kind]?.isEmpty == true { wildcards[channel.kind] = nil }
        } else {
            symbols[channel]?.removeAll { $0 === lane }
            if symbols[channel]?.isEmpty == true {
                symbols[channel] = nil
                named[channel.kind, default: 1] -= 1
            }
        }
        if wildcards[channel.kind] == nil, named[channel.kind, default: 0] == 0 {
            kinds.remove(KindSet(channel.kind))
        }
    }

    /// The lanes that want every event of a kind.
    func all(_ kind: EventKind) -> [Lane] { wildcards[kind] ?? [] }

    /// Whether some lane wants single symbols.
    var hasSymbols: Bool { !symbols.isEmpty }

    /// The lanes that asked for a symbol by name.
    func named(_ kind: EventKind, _ symbol: Symbol) -> [Lane] { symbols[FeedChannel(kind: kind, symbol: symbol)] ?? [] }
}
