/// A relay's notice of events that the relay itself missed: a status `gap`, whose message has the time and the channels,
/// such as `from 1704205800000 to 1704205860000, disconnected: T.AAPL,T.MSFT`.
public struct GapNotice: Sendable, Equatable {
    /// The status word.
    public static let status = "gap"
    /// About how many bytes of channels one message lists; receivers cut long messages.
    private static let listBytes = 400

    /// The channels whose events are missing.
    public var channels: [FeedChannel]
    /// When the gap begins, in milliseconds since the Unix epoch.
    public var from: Int64
    /// When the gap ends, in milliseconds since the Unix epoch; `nil` while events are still missed.
    public var to: Int64?
    /// What interrupted the stream.
    public var cause: Gap.Cause

    /// Makes the notice of a gap for a reader of these channels; `nil` when the gap concerns none of them.
    ///
    /// When the gap names symbols, a reader of the wildcard is sent those symbols.
    public init?(_ gap: Gap, of channels: Set<FeedChannel>) {
        (self.channels, from, to, cause) = ([], gap.from, gap.to, gap.cause)
        for kind in gap.events {
            if gap.symbols.isEmpty {
                self.channels += channels.filter { $0.kind == kind }
            } else {
                let isAll = channels.contains(FeedChannel(kind: kind, symbol: nil))
                let missed = gap.symbols.map { FeedChannel(kind: kind, symbol: $0) }
                self.channels += isAll ? missed : missed.filter(channels.contains)
            }
        }
        if self.channels.isEmpty { return nil }
    }

    /// The messages; several when there are many channels.
    public var messages: [String] {
        let head = "from \(from)\(to.map { " to \($0)" } ?? ""), \(cause.rawValue): "
        return Self.lists(of: channels).map { head + $0 }
    }

    /// Returns channels as lists that are short enough for a message, sorted.
    public static func lists(of channels: [FeedChannel]) -> [String] {
        var lists: [String] = []
        for name in channels.map(\.description).sorted() {
            if let last = lists.last, last.utf8.count + name.utf8.count < listBytes {
                lists[lists.count - 1] = "\(last),\(name)"
            } else {
                lists.append(name)
            }
        }
        return lists
    }

    /// Reads a message; `nil` when it is not a gap notice.
    public init?(_ message: String) {
        guard let colon = message.firstIndex(of: ":"), let comma = message[..<colon].firstIndex(of: ",") else {
            return nil
        }
        let times = message[..<comma].split(separator: " ")
        let names = message[message.index(after: colon)...].split { $0 == "," || $0 == " " }
        guard times.count == 2 || times.count == 4 && times[2] == "to", times[0] == "from",
            let from = Self.time(times[1]), let cause = Gap.Cause(rawValue: String(message[comma..<colon].dropFirst(2)))
        else { return nil }
        (channels, self.from, self.cause) = (names.compactMap { FeedChannel($0) }, from, cause)
        guard times.count == 4 else { return }
        guard let to = Self.time(times[3]), to >= from else { return nil }
        self.to = to
    }

    /// Reads a time; `nil` when it is not in ``UnixTime/possible``, and so not safe to compute with.
    private static func time(_ text: Substring) -> Int64? {
        Int64(text).flatMap { UnixTime.possible.contains($0) ? $0 : nil }
    }
}
