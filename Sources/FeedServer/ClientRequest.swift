import FoundationEssentials

/// What a client asks for in a text message.
enum ClientRequest: Equatable {
    case login(key: String)
    case subscribe([String])
    case unsubscribe([String])
    /// Something that can't be understood, and why.
    case malformed(String)

    private struct Message: Decodable {
        var action: String
        var params: String?
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
        case "subscribe": self = .subscribe(Self.list(params))
        case "unsubscribe": self = .unsubscribe(Self.list(params))
        default: self = .malformed("unknown action '\(message.action.prefix(32))'")
        }
    }

    private static func list(_ params: String) -> [String] {
        params.split(separator: ",").map { $0.trimming { $0 == " " } }.filter { !$0.isEmpty }
    }
}

extension Substring {
    /// The text without the characters at both ends for which `isSpace` holds.
    fileprivate func trimming(_ isSpace: (Character) -> Bool) -> String {
        var rest = self
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }
}
