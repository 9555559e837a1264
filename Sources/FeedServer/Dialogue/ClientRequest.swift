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
    private struct Moment: Decodable {
        /// `nil` if it can't be read.
        let value: ReplaySpan.Moment?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = (try? container.decode(Int64.self)).map { String($0) } ?? (try? container.decode(String.self))
            value = text.flatMap { ReplaySpan.Moment($0) }
        }
    }

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
        guard let from else { return to == nil ? .subscribe(channels) : .malformed("'to' requires 'from'") }
        guard let start = from.value else {
            return .malformed("'from' must be a Unix time in milliseconds or a relative time such as -15m")
        }
        guard let to else { return .subscribe(channels, ReplaySpan(from: start)) }
        guard let end = to.value else {
            return .malformed("'to' must be a Unix time in milliseconds or a relative time such as -5m")
        }
        let now = WallClock.milliseconds()
        guard start.milliseconds(now: now) <= end.milliseconds(now: now) else {
            return .malformed("'to' is before 'from'")
        }
        return .subscribe(channels, ReplaySpan(from: start, to: end))
    }

    private static func list(_ params: String) -> [String] {
        params.split(separator: ",").compactMap { name in
            guard let first = name.firstIndex(where: { $0 != " " }), let last = name.lastIndex(where: { $0 != " " })
            else { return nil }
            return String(name[first...last])
        }
    }
}
