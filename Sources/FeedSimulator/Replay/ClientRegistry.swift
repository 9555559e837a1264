import FeedServer
import MarketData
import Synchronization

/// The replay's clients, their logins, and the statistics; safe to use from any thread.
final class ClientRegistry: FeedHost {
    private struct State {
        var clients: [ReplayClient] = []
        /// The logins in force, oldest first.
        var logins: [(key: String, client: FeedClient)] = []
        var subscriptionChanges = 0
        var statistics = SimulatorStatistics()
    }

    /// Signals every change of the subscriptions, the bytes that wait, the connections, and the replay's position.
    let signal = ChangeSignal()
    /// The bars that have passed; `nil` when they aren't served.
    let archive: AggregateArchive?
    /// The trades and quotes that have passed; `nil` when they aren't served.
    let ticks: TickArchive?
    private let configuration: SimulatorConfiguration
    private let state = Mutex(State())

    init(_ configuration: SimulatorConfiguration) {
        self.configuration = configuration
        archive = configuration.servesAggregates ? AggregateArchive() : nil
        ticks = configuration.servesTicks ? TickArchive() : nil
    }

    var clients: [ReplayClient] { state.withLock { $0.clients } }

    /// The connections that the replay sends to.
    var receivers: [ReplayClient] { clients.filter(\.isReceiving) }

    /// The number of changes of any subscription so far.
    var subscriptionChanges: Int { state.withLock { $0.subscriptionChanges } }

    var statistics: SimulatorStatistics {
        let (clients, logins, statistics) = state.withLock { ($0.clients, $0.logins.count, $0.statistics) }
        var result = statistics
        result.clients = clients.count
        result.loggedIn = logins
        result.subscriptions = clients.reduce(0) { $0 + $1.connection.subscriptions.channels.count }
        return result
    }

    func update(_ change: (inout SimulatorStatistics) -> Void) {
        state.withLock { change(&$0.statistics) }
        signal.changed()
    }

    private func count(_ fault: Fault) { update { $0.faults[fault.name, default: 0] += 1 } }

    // MARK: Calls from the server

    func connected(_ client: FeedClient) {
        state.withLock { state in
            state.clients.append(ReplayClient(client, faults: configuration.faults))
            state.statistics.connections += 1
        }
        signal.changed()
    }

    func disconnected(_ client: FeedClient) {
        state.withLock { state in
            state.clients.removeAll { $0.connection === client }
            state.logins.removeAll { $0.client === client }
        }
        signal.changed()
    }

    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel]) {
        state.withLock { $0.subscriptionChanges += 1 }
        signal.changed()
    }

    func progressed(_ client: FeedClient) { signal.changed() }

    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage] {
        var refusals: [FeedChannel: StatusMessage] = [:]
        for channel in channels {
            guard let symbol = channel.symbol, configuration.faults.contains(.refuseSymbol(symbol)) else { continue }
            count(.refuseSymbol(symbol))
            refusals[channel] = .notAuthorized
        }
        return refusals
    }

    func answersPing(of client: FeedClient) -> Bool {
        guard configuration.faults.contains(.noPongs) else { return true }
        count(.noPongs)
        return false
    }

    func answer(_ request: PlainRequest) -> PlainAnswer? {
        let isAdmitted = configuration.admits(request.key)
        let answer =
            archive?.answer(request, isAdmitted: isAdmitted)
            ?? ticks?.answer(request, isAdmitted: isAdmitted, isRefused: configuration.refusesTicks)
        guard let answer else { return nil }
        let number = state.withLock { state in
            state.statistics.aggregateRequests += 1
            return state.statistics.aggregateRequests
        }
        signal.changed()
        return number > configuration.aggregateRefusals ? answer : .fault(429, "too many requests", retryAfter: 1)
    }

    /// Decides about a login; one that is accepted may push out older ones with the same key.
    func login(of client: FeedClient, key: String) -> LoginVerdict {
        var pushedOut: [FeedClient] = []
        let verdict = state.withLock { state in
            let verdict = decide(on: key, &state)
            if verdict == .accepted { pushedOut = enter(client, key: key, &state) }
            return verdict
        }
        for old in pushedOut {
            old.close(code: 1008, reason: "another connection took its place", status: .tooManyConnections)
        }
        signal.changed()
        return verdict
    }

    /// Adds a login; removes the oldest ones with the same key that exceed the limit, and returns their clients.
    private func enter(_ client: FeedClient, key: String, _ state: inout State) -> [FeedClient] {
        state.logins.append((key, client))
        guard let limit = configuration.connectionLimitInEffect else { return [] }
        let same = state.logins.filter { $0.key == key }.map(\.client)
        let pushedOut = Array(same.dropLast(limit))
        guard !pushedOut.isEmpty else { return [] }
        state.logins.removeAll { login in pushedOut.contains { $0 === login.client } }
        state.statistics.pushedOut += pushedOut.count
        if configuration.faults.contains(where: { $0.name == "connection-limit" }) {
            state.statistics.faults["connection-limit", default: 0] += pushedOut.count
        }
        return pushedOut
    }

    private func decide(on key: String, _ state: inout State) -> LoginVerdict {
        for fault in configuration.faults {
            let happened = state.statistics.faults[fault.name, default: 0]
            switch fault {
            case .authTimeout(let times) where happened < times ?? .max:
                state.statistics.faults[fault.name] = happened + 1
                return .ignored
            case .badLogin(let times) where happened < times ?? .max:
                state.statistics.faults[fault.name] = happened + 1
                state.statistics.loginsRefused += 1
                return .refused
            default: break
            }
        }
        guard configuration.admits(key) else {
            state.statistics.loginsRefused += 1
            return .refused
        }
        return .accepted
    }
}
