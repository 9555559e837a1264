import Collector

@testable import Feed

extension ConnectionState {
    /// A connection that has done nothing yet.
    init(id: String, name: String, status: FeedConnectionStatus = .disconnected) {
        var feed = FeedSnapshot(name: name)
        feed.status = status
        self.init(SetSnapshot.Member(id: id, feed: feed), at: 0)
    }
}
