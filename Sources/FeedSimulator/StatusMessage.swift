/// A status that the server sends.
struct StatusMessage: Sendable, Equatable {
    var status: String
    var message: String

    init(_ status: String, _ message: String) {
        self.status = status
        self.message = message
    }

    static let connected = StatusMessage("connected", "Connected Successfully")
    static let authenticated = StatusMessage("auth_success", "authenticated")
    static let loginFailed = StatusMessage("auth_failed", "authentication failed")
    static let loginTimedOut = StatusMessage("auth_timeout", "no login within the time allowed")
    static let tooManyConnections = StatusMessage("max_connections", "maximum number of connections exceeded")
    static let tooSlow = StatusMessage("slow_consumer", "the client reads too slowly")
    static let notAuthorized = StatusMessage("error", "not authorized")

    static func subscribed(_ channel: FeedChannel) -> StatusMessage {
        StatusMessage("success", "subscribed to: \(channel.text)")
    }

    static func unsubscribed(_ channel: FeedChannel) -> StatusMessage {
        StatusMessage("success", "unsubscribed to: \(channel.text)")
    }

    static func error(_ message: String) -> StatusMessage { StatusMessage("error", message) }

    /// One frame's text for several messages.
    static func text(_ messages: some Sequence<StatusMessage>) -> String {
        let objects = messages.map { message in
            "{\"ev\":\"status\",\"status\":\"\(message.status)\",\"message\":\"\(escaped(message.message))\"}"
        }
        return "[\(objects.joined(separator: ","))]"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
