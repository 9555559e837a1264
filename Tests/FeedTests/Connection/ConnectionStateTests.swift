import MarketData
import Synchronization
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct ConnectionStateTests {
    @Test func `who listens for changes is called as directly after many changes as after one`() throws {
        let configuration = FeedConfiguration(
            name: "primary", endpoint: try FeedEndpoint(url: "wss://feed.example/stocks", allowsPlaintext: false),
            apiKey: Secret(canary), events: [.trade])
        let state = FeedConnectionState(configuration: configuration, interest: .symbols([]))
        let depths = Mutex<[Int]>([])
        state.listen {
            var here: UInt8 = 0
            let depth = withUnsafePointer(to: &here) { Int(bitPattern: $0) }
            depths.withLock { $0.append(depth) }
        }
        for _ in 0..<500 { state.notify() }
        let seen = depths.withLock { $0 }
        #expect(seen.count == 500)
        // If each call added another wrapper, the last one would be thousands of bytes further down the stack.
        #expect(abs(seen[0] - seen[499]) < 1024, "\(seen[0] - seen[499])")
    }
}
