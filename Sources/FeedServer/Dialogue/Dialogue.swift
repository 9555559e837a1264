import MarketData

/// The server's side of one connection's conversation, as a pure state machine.
struct Dialogue {
    /// What to do next, in order.
    enum Step: Equatable {
        case send([StatusMessage])
        /// Decide about a login, and report with ``loginDecided(_:)``.
        case decideLogin(key: String)
        /// Send past events of these channels.
        case replay([FeedChannel], ReplaySpan)
        /// Note that these channels were subscribed to or unsubscribed from.
        case subscriptionsChanged([FeedChannel])
        case close(code: UInt16, reason: String)
    }

    private enum Phase {
        case awaitingLogin
        /// A login is being decided; requests are ignored until then.
        case deciding
        case loggedIn
        case ended
    }

    /// The maximum number of confirmations in one frame.
    static let confirmationsPerFrame = 50

    /// What is in force now.
    private(set) var subscriptions = Subscriptions()
    private var phase = Phase.awaitingLogin
    private let offersReplays: Bool

    /// - Parameter offersReplays: Whether past events may be requested; otherwise such a request is treated as live
    ///   only.
    init(offersReplays: Bool = false) { self.offersReplays = offersReplays }

    mutating func opened() -> [Step] { [.send([.connected])] }

    /// Handles a request from the client.
    ///
    /// - Parameter refusals: Returns the channels that may not be subscribed to, each with the status to send instead.
    mutating func received(
        _ request: ClientRequest,
        refusals: ([FeedChannel], _ replayed: Bool) -> [FeedChannel: StatusMessage] = { _, _ in [:] }
    ) -> [Step] {
        switch (phase, request) {
        case (.deciding, _), (.ended, _): return []
        case (_, .malformed(let why)): return [.send([.error(why)])]
        case (.awaitingLogin, .login(let key)):
            phase = .deciding
            return [.decideLogin(key: key)]
        case (.loggedIn, .login): return [.send([.error("already authenticated")])]
        case (.awaitingLogin, _): return [.send([.error("authentication required")])]
        case (.loggedIn, .subscribe(let names, _)) where names.isEmpty,
            (.loggedIn, .unsubscribe(let names)) where names.isEmpty:
            return [.send([.error("params names no channel")])]
        case (.loggedIn, .subscribe(let names, let span)):
            return subscribe(names, offersReplays ? span : nil, refusals)
        case (.loggedIn, .unsubscribe(let names)): return unsubscribe(names)
        }
    }

    mutating func loginDecided(_ verdict: LoginVerdict) -> [Step] {
        guard phase == .awaitingLogin || phase == .deciding else { return [] }
        switch verdict {
        case .accepted:
            phase = .loggedIn
            return [.send([.authenticated])]
        case .refused: return end(.loginFailed)
        case .ignored:
            phase = .awaitingLogin
            return []
        }
    }

    mutating func loginTimeEnded() -> [Step] {
        guard case .awaitingLogin = phase else { return [] }
        return end(.loginTimedOut)
    }

    private mutating func end(_ status: StatusMessage) -> [Step] {
        phase = .ended
        return [.send([status]), .close(code: 1008, reason: status.message)]
    }

    private mutating func subscribe(
        _ names: [String], _ span: ReplaySpan?, _ refusals: ([FeedChannel], Bool) -> [FeedChannel: StatusMessage]
    ) -> [Step] {
        var replayed: [FeedChannel] = []
        var seen: Set<FeedChannel> = []
        let channels = names.map { FeedChannel($0) }
        let refusals = refusals(channels.compactMap(\.self), span != nil)
        var answers: [StatusMessage] = []
        var changed: [FeedChannel] = []
        for (name, channel) in zip(names, channels) {
            guard let channel else {
                answers.append(.unknownChannel(name))
                continue
            }
            if let refusal = refusals[channel] {
                answers.append(refusal)
            } else if span?.to != nil {
                if seen.insert(channel).inserted { replayed.append(channel) }
            } else if subscriptions.insert(channel) {
                answers.append(.subscribed(channel))
                if span != nil { replayed.append(channel) }
                changed.append(channel)
            }
        }
        // The replay comes before the change, so that the host knows which channels don't go live yet.
        let replay = span.map { replayed.isEmpty ? [] : [Step.replay(replayed, $0)] } ?? []
        return answered(answers) + replay + (changed.isEmpty ? [] : [.subscriptionsChanged(changed)])
    }

    private mutating func unsubscribe(_ names: [String]) -> [Step] {
        var answers: [StatusMessage] = []
        var changed: [FeedChannel] = []
        for name in names {
            guard let channel = FeedChannel(name) else {
                answers.append(.unknownChannel(name))
                continue
            }
            if subscriptions.remove(channel) {
                answers.append(.unsubscribed(channel))
                changed.append(channel)
            }
        }
        return answered(answers) + (changed.isEmpty ? [] : [.subscriptionsChanged(changed)])
    }

    private func answered(_ answers: [StatusMessage]) -> [Step] {
        answers.parts(of: Self.confirmationsPerFrame).map { .send(Array($0)) }
    }
}
