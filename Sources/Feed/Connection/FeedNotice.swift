/// What a connection tells about its ordinary life.
enum FeedNotice: Equatable, Sendable {
    case opened
    case loggedIn
    /// Asked for so many channels in so many messages.
    case subscribing(channels: Int, messages: Int)
    /// The subscription stands: so many of the wanted channels.
    case connected(confirmed: Int, wanted: Int)
    /// These channels are asked for again.
    case askingAgain(Int)
    /// The feed said something that has no consequence.
    case remark(status: String, message: String)
    /// The process or its machine stood still for so long.
    case stoodStill(Duration)
    case interestChanged(added: Int, removed: Int)
    case stopped
}

extension Duration {
    /// The length for people: `250 ms`, `1.5 s`, `60 s`.
    var shortText: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let tenths = (milliseconds + 50) / 100
        return tenths % 10 == 0 || tenths >= 100 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
}
