import FoundationEssentials
import MarketData

/// What a client asks for in a text message.
enum ClientRequest: Equatable {
    case login(key: String)
    /// With a span, also requests past events.
    case subscribe([String], ReplaySpan? = nil)
    case unsubscribe([String])
    /// A request that can't be understood, with the reason.
    case malformed(String)

    private struct Message: Decodable {
        var action: String
        var params: String?
        var from: Moment?
        var to: Moment?
    }

    /// A moment, written as a number or as text.
    private enum Moment: Decodable {
        case known(ReplaySpan.Moment)
        case unknown

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = (try? container.decode(Int64.self)).map { String($0) } ?? (try? container.decode(String.self))
            self = text.flatMap { ReplaySpan.Moment($0) }.map { .known($0) } ?? .unknown
        }
    }

    /// Reads a message.
    init(_ text: [UInt8]) {
        guard let message = try? JSONDecoder().decode(Message.self, from: Data(text)) else {
            self = .malformed("the request isn't an object with action and params")
            return
        }
        guard let params = message.params else {
            self = .malformed("the request has no params")
            return
        }
        switch message.action {
        case "auth": self = .login(key: params)
        case "subscribe": self = Self.subscription(Self.list(params), from: message.from, to: message.to)
        case "unsubscribe": self = .unsubscribe(Self.list(params))
        default: self = .malformed("unknown action '\(message.action.prefix(32))'")
        }
    }

    private static func subscription(_ channels: [String], from: Moment?, to: Moment?) -> ClientRequest {
        guard let from else {
            return to == nil ? .subscribe(channels) : .malformed("'to' requires 'from'")
        }
        guard case .known(let start) = from else {
            return .malformed("'from' must be a Unix time in milliseconds or a relative time such as -15m")
        }
        guard let to else { return .subscribe(channels, ReplaySpan(from: start)) }
        guard case .known(let end) = to else {
            return .malformed("'to' must be a Unix time in milliseconds or a relative time such as -5m")
        }
        let now = WallClock.milliseconds()
        guard start.milliseconds(now: now) <= end.milliseconds(now: now) else {
            return .malformed("'to' is before 'from'")
        }
        return .subscribe(channels, ReplaySpan(from: start, to: end))
    }

    private static func list(_ params: String) -> [String] {
        params.split(separator: ",").map { $0.trimming { $0 == " " } }.filter { !$0.isEmpty }
    }
}

extension Substring {
    /// Returns the text without the characters at both ends for which `isSpace` returns `true`.
    fileprivate func trimming(_ isSpace: (Character) -> Bool) -> String {
        var rest = self
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }
}
