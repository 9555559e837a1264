/// A routine event that a connection reports.
enum FeedNotice: Equatable, Sendable {
    case opened
    case loggedIn
    /// Asked for this many channels in this many messages.
    case subscribing(channels: Int, messages: Int)
    /// The subscription is confirmed, for this many of the wanted channels.
    case connected(confirmed: Int, wanted: Int)
    /// This many channels are asked for again.
    case askingAgain(Int)
    /// The feed sent a status message that is logged as it is.
    case remark(status: String, message: String)
    /// The process or its machine was suspended for this long.
    case suspended(Duration)
    case interestChanged(added: Int, removed: Int)
    case stopped
}
