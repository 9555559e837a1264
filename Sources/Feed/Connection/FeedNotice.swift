/// What a connection reports of its ordinary life.
enum FeedNotice: Equatable, Sendable {
    case opened
    case loggedIn
    /// Asked for so many channels in so many messages.
    case subscribing(channels: Int, messages: Int)
    /// The subscription is confirmed: so many of the wanted channels.
    case connected(confirmed: Int, wanted: Int)
    /// These channels are asked for again.
    case askingAgain(Int)
    /// The feed said something that has no consequence.
    case remark(status: String, message: String)
    /// The process or its machine was suspended for so long.
    case suspended(Duration)
    case interestChanged(added: Int, removed: Int)
    case stopped
}
