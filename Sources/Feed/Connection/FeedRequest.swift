import MarketData

/// The texts that a client sends to the feed.
enum FeedRequest {
    /// The login, with the key; never to be logged.
    static func login(_ key: Secret) -> String {
        #"{"action":"auth","params":\#(JSONString.quoted(key.reveal()))}"#
    }

    /// Subscriptions to `channels` in as few messages of at most `maximumBytes` as they take.
    static func subscribe(_ channels: [FeedChannel], maximumBytes: Int) -> [String] {
        messages(action: "subscribe", channels, maximumBytes: maximumBytes)
    }

    /// The like for ending subscriptions.
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
