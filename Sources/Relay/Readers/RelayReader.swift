import Collector
import FeedServer
import MarketData
import NIOCore

/// A client as the relay sees it. Lives on the relay's event loop alone.
final class RelayReader {
    let client: FeedClient
    let live: Lane
    /// The channels whose events are sent at once.
    var channels: Set<FeedChannel> = []
    /// The channels whose replay is under way, with the replay's id.
    var joining: [FeedChannel: Int] = [:]
    /// The key that it logged in with; `nil` before.
    var key: Secret?
    /// The names of some of its channels; `nil` if they must be chosen again.
    var sample: [String]?
    /// The counters; ``state()`` adds the rest.
    private(set) var counted: RelayState.Reader
    /// The replays that wait for the current one.
    var waiting: [Replay] = []
    var current: Replay?
    /// Signalled when less is queued for the client.
    let room = ChangeSignal()

    init(_ client: FeedClient, since: Int64) {
        self.client = client
        counted = RelayState.Reader(id: client.id, connectedSince: since)
        live = Lane(reader: client.id)
    }

    var channelCount: Int { channels.count + joining.count }

    /// The bytes that are queued for it, in its socket and behind the rows of its replay.
    var waitingBytes: Int { client.pendingBytes + (current?.heldBytes ?? 0) }

    func reads(_ channel: FeedChannel) -> Bool { channels.contains(channel) || joining[channel] != nil }

    /// Why a channel can't be read in addition to those it has: events that two subscriptions cover would come both
    /// from the replay and live.
    func conflict(with channel: FeedChannel, replayed: Bool) -> StatusMessage? {
        if let other = Self.overlap(of: channel, with: joining.keys) {
            return .error("\(channel): wait until the replay of \(other) is complete")
        }
        if replayed, let other = channels.contains(channel) ? channel : Self.overlap(of: channel, with: channels) {
            return .error("\(channel) can't be replayed while \(other) is subscribed to: unsubscribe first")
        }
        return nil
    }

    /// Returns one of some other channels that also delivers events of `channel`. All are searched only if that is a
    /// wildcard.
    private static func overlap(of channel: FeedChannel, with channels: some Sequence<FeedChannel>) -> FeedChannel? {
        guard channel.symbol != nil else { return channels.first { $0.kind == channel.kind && $0 != channel } }
        let wildcard = FeedChannel(kind: channel.kind, symbol: nil)
        return channels.contains(wildcard) ? wildcard : nil
    }

    /// Sends notices of gaps in its channels, or in the given ones, in order with the events.
    func tell(_ gaps: some Sequence<Gap>, of channels: Set<FeedChannel>? = nil) {
        let channels = channels ?? self.channels.union(joining.keys)
        for notice in gaps.compactMap({ GapNotice($0, of: channels) }) {
            for message in notice.messages { client.send(StatusMessage(GapNotice.status, message)) }
        }
    }

    func send(_ parts: [ByteBuffer], events: Int, bytes: Int) {
        client.send(parts, events: events)
        counted.events += Int64(events)
        counted.bytes += Int64(bytes)
    }

    func send(row part: ByteBuffer, events: Int) {
        client.send([part], events: events)
        counted.replayed += Int64(events)
        counted.bytes += Int64(part.readableBytes)
    }

    func state() -> RelayState.Reader {
        let sample = sample ?? Array((channels.map(\.description) + joining.keys.map(\.description)).sorted().prefix(5))
        self.sample = sample
        var state = counted
        (state.address, state.agent, state.isLoggedIn) = (client.address, client.agent, key != nil)
        (state.channels, state.sample) = (channelCount, sample)
        state.waitingBytes = waitingBytes
        state.waitingEvents = client.pendingEvents + (current?.heldEvents ?? 0)
        state.isReplaying = current != nil
        return state
    }
}

/// Past events that a reader asked for.
final class Replay {
    let id: Int
    var channels: [FeedChannel]
    let span: ReplaySpan
    let kinds: KindSet
    let lane: Lane
    var isHolding = false
    /// Live events that wait for the rows before them.
    var held: [ByteBuffer] = []
    var heldBytes = 0
    var heldEvents = 0
    var task: Task<Void, Never>?

    init(id: Int, reader: Int, channels: [FeedChannel], span: ReplaySpan) {
        self.id = id
        self.channels = channels
        self.span = span
        kinds = channels.reduce([]) { $0.union(KindSet($1.kind)) }
        lane = Lane(reader: reader, replay: id)
    }
}
