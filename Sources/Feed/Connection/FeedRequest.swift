import MarketData

/// The messages that a client sends to the feed.
enum FeedRequest {
    /// Returns the login. It contains the key and must never be logged.
    static func login(_ key: Secret) -> String { #"{"action":"auth","params":\#(JSONString.quoted(key.reveal()))}"# }

    enum Action: String {
        case subscribe, unsubscribe
    }

    /// Returns requests that concern `channels`, in as few messages of at most `maximumBytes` as possible.
    static func messages(_ action: Action, _ channels: [FeedChannel], maximumBytes: Int) -> [String] {
        let head = #"{"action":"\#(action.rawValue)","params":""#
        let tail = #""}"#
        let room = maximumBytes - head.utf8.count - tail.utf8.count
        var messages: [String] = []
        var params = ""
        for channel in channels {
            let name = channel.description
            if !params.isEmpty, params.utf8.count + 1 + name.utf8.count > room {
                messages.append(head + params + tail)
                params = ""
            }
            params += params.isEmpty ? name : "," + name
        }
        if !params.isEmpty { messages.append(head + params + tail) }
        return messages
    }
}
