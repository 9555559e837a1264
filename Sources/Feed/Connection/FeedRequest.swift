import MarketData

/// The messages that a client sends to the feed.
enum FeedRequest {
    /// Returns the login. It contains the key and must never be logged.
    static func login(_ key: Secret) -> String {
        #"{"action":"auth","params":\#(JSONString.quoted(key.reveal()))}"#
    }

    /// Returns subscriptions to `channels`, in as few messages of at most `maximumBytes` as possible.
    static func subscribe(_ channels: [FeedChannel], maximumBytes: Int) -> [String] {
        messages(action: "subscribe", channels, maximumBytes: maximumBytes)
    }

    /// Returns requests to end the subscriptions to `channels`, in the same form.
    static func unsubscribe(_ channels: [FeedChannel], maximumBytes: Int) -> [String] {
        messages(action: "unsubscribe", channels, maximumBytes: maximumBytes)
    }

    private static func messages(action: String, _ channels: [FeedChannel], maximumBytes: Int) -> [String] {
        let head = #"{"action":"\#(action)","params":""#
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
