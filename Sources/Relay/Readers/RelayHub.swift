import FeedServer
import MarketData
import NIOCore
import Store

/// Gives other threads access to the relay's desk, and is the server's host.
final class RelayHub: FeedHost {
    private let desk: NIOLoopBound<RelayDesk>
    private let history: BarHistory
    /// Lets replays read the file one at a time.
    let turns = Turns()
    /// Logs what can't be read for clients.
    let failures: ReadFailures
    /// `nil` if keys keep strangers out.
    private let hosts: ServedHosts?

    /// Must be called on the event loop that serves the clients.
    init(_ desk: RelayDesk, history: BarHistory, on loop: any EventLoop) {
        self.history = history
        failures = history.failures
        let configuration = history.configuration
        hosts = configuration.keys.isEmpty ? ServedHosts(host: configuration.server.host) : nil
        self.desk = NIOLoopBound(desk, eventLoop: loop)
        desk.hub = self
    }

    /// Runs `body` with the desk on its event loop and returns the result; `nil` if the task was cancelled or the loop
    /// has ended.
    func ask<Value: Sendable>(_ body: @escaping @Sendable (RelayDesk) -> Value) async -> Value? {
        guard !Task.isCancelled else { return nil }
        return try? await desk.eventLoop.submit { [desk] in body(desk.value) }.get()
    }

    /// Runs `body` with the desk on its event loop, without waiting.
    func tell(_ body: @escaping @Sendable (RelayDesk) -> Void) { desk.eventLoop.execute { [desk] in body(desk.value) } }

    func refusal(of request: PlainRequest) -> PlainAnswer? { hosts?.refusal(of: request) }

    func connected(_ client: FeedClient) { desk.value.connected(client) }

    func disconnected(_ client: FeedClient) { desk.value.disconnected(client) }

    func madeRoom() { tell { $0.madeRoom() } }

    func requested(by client: FeedClient) { desk.value.drain() }

    func login(of client: FeedClient, key: String) -> LoginVerdict { desk.value.login(of: client, key: key) }

    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage] {
        desk.value.refusals(of: channels, to: client, replayed: replayed)
    }

    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel]) {
        desk.value.subscriptionsChanged(of: client, channels)
    }

    func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient) {
        desk.value.replay(channels, span, to: client)
    }

    func answer(_ request: PlainRequest) async -> PlainAnswer? {
        guard let answer = await history.answer(request) else { return nil }
        tell { $0.answered(request: answer.status) }
        return answer
    }

    /// Called on any thread when a write has ended or a close has begun.
    func progressed(_ client: FeedClient) { tell { $0.progressed(client) } }
}
