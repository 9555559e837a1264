import MarketData
import NIOCore

/// The events packed for one reader, or for a reader's replay that is about to join the live events.
final class Lane {
    let reader: Int
    /// The replay that the events wait for; `nil` if they are sent at once.
    let replay: Int?
    private(set) var frames = EventFrames()
    /// Frames packed for all lanes that want every event of a kind.
    private(set) var shared: [ByteBuffer] = []
    private var sharedEvents = 0
    /// The kinds that are wanted for every symbol.
    var wildcards: KindSet = []
    /// Whether past events came before the live ones, so that none in between may be missing.
    var followsReplay: Bool

    init(reader: Int, replay: Int? = nil) {
        self.reader = reader
        self.replay = replay
        followsReplay = replay != nil
    }

    var isEmpty: Bool { frames.isEmpty && shared.isEmpty }

    func append(_ event: UnsafeRawBufferPointer) { frames.append(event) }

    func append(shared buffer: ByteBuffer, events: Int) {
        shared.append(buffer)
        sharedEvents += events
    }

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
    struct Wishes {
        /// The lanes that want every event.
        fileprivate(set) var all: [Lane] = []
        /// The lanes that asked for a symbol by name.
        fileprivate(set) var named: [Symbol: [Lane]] = [:]

        var isEmpty: Bool { all.isEmpty && named.isEmpty }
    }

    /// By the kind's index.
    private var wishes = [Wishes](repeating: Wishes(), count: EventKind.allCases.count)

    subscript(kind: EventKind) -> Wishes { wishes[kind.index] }

    /// The kinds of which anything is wanted.
    var kinds: KindSet { EventKind.allCases.reduce([]) { self[$1].isEmpty ? $0 : $0.union(KindSet($1)) } }

    mutating func add(_ lane: Lane, to channel: FeedChannel) {
        if let symbol = channel.symbol {
            wishes[channel.kind.index].named[symbol, default: []].append(lane)
        } else {
            lane.wildcards.insert(KindSet(channel.kind))
            wishes[channel.kind.index].all.append(lane)
        }
    }

    mutating func remove(_ lane: Lane, from channel: FeedChannel) {
        guard let symbol = channel.symbol else {
            lane.wildcards.remove(KindSet(channel.kind))
            return wishes[channel.kind.index].all.removeAll { $0 === lane }
        }
        var lanes = wishes[channel.kind.index].named.removeValue(forKey: symbol) ?? []
        lanes.removeAll { $0 === lane }
        if !lanes.isEmpty { wishes[channel.kind.index].named[symbol] = lanes }
    }
}
