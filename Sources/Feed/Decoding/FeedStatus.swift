/// A status message in the feed's own words: a reply to a login or a subscription, or a warning.
public struct FeedStatus: Sendable, Equatable {
    /// The longest ``status`` that is kept, in bytes of UTF-8.
    static let maximumStatusBytes = 64
    /// The longest ``message`` that is kept, in bytes of UTF-8.
    static let maximumMessageBytes = 512

    /// The kind of message (`status`), such as `auth_success`.
    var status: String
    /// The explanation (`message`); empty when not sent.
    var message: String

    /// Makes a status; text beyond the limits is cut.
    public init(status: String, message: String) {
        self.status = FeedStatus.cut(status, to: FeedStatus.maximumStatusBytes)
        self.message = FeedStatus.cut(message, to: FeedStatus.maximumMessageBytes)
    }

    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        // A cut within a scalar is rounded down to its start.
        return String(text[..<text.utf8.index(text.startIndex, offsetBy: limit)])
    }
}
