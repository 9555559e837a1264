import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct QuantityTests {
    @Test(arguments: [
        ("5", Duration.seconds(5)), ("5s", .seconds(5)), ("500ms", .milliseconds(500)), ("2m", .seconds(120)),
        ("1h", .seconds(3600)), ("1.5h", .seconds(5400)), ("0", .zero), ("2 min", .seconds(120)),
        ("1d", .seconds(86_400)),
        ("0.25", .milliseconds(250)), ("0.000000001", .nanoseconds(1)),
    ])
    func `a duration is read, a bare number in seconds`(text: String, duration: Duration) {
        #expect(Quantity.duration(text, unit: .seconds(1)) == duration)
    }

    @Test func `a bare number counts in the key's own unit`() {
        #expect(Quantity.duration("50", unit: .milliseconds(1)) == .milliseconds(50))
        #expect(Quantity.duration("24", unit: .seconds(3600)) == .seconds(86_400))
        #expect(Quantity.duration("50ms", unit: .seconds(3600)) == .milliseconds(50))
    }

    @Test(arguments: [
        "", "s", "-5", "+5", "5x", "5 s s", "1e3", "1.2.3", ".5", "5.", "1,5", "99999999999h", "٣", "5S",
        "1.0000000001",
    ])
    func `what is no duration is refused`(text: String) {
        #expect(Quantity.duration(text, unit: .seconds(1)) == nil)
    }

    @Test(arguments: [
        ("0", Int64(0)), ("123", 123), ("123B", 123), ("1KB", 1000), ("500MB", 500_000_000), ("2gb", 2_000_000_000),
        ("1TB", 1_000_000_000_000), ("1KiB", 1024), ("64MiB", 64 << 20), ("8GiB", 8 << 30), ("8 gib", 8 << 30),
        ("1TiB", 1 << 40), ("1.5GiB", 3 << 29), ("9223372036854775807", .max),
    ])
    func `a size is read`(text: String, bytes: Int64) {
        #expect(Quantity.bytes(text) == bytes)
    }

    @Test func `a letter alone is a power of 1024, as systemd and docker have it`() {
        #expect(Quantity.bytes("8G") == 8 << 30)
        #expect(Quantity.bytes("64mi") == 64 << 20)
    }

    @Test(arguments: ["", "8X", "GiB", "-1", "8GiBs", "9223372036854775808", "9000000TiB", "0x10", "1_000", "8,5GiB"])
    func `what is no size, or might mean two, is refused`(text: String) {
        #expect(Quantity.bytes(text) == nil)
    }

    @Test(arguments: [
        (Duration.milliseconds(1500), "1500ms"), (.seconds(90), "90s"), (.seconds(120), "2m"), (.seconds(7200), "2h"),
        (.seconds(86_400), "1d"), (.zero, "0s"),
    ])
    func `a duration is shown with the largest unit that divides it`(duration: Duration, text: String) {
        #expect(Quantity.text(duration) == text)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ServerAddressTests {
    @Test(arguments: [
        ("wss://socket.massive.com/stocks", "wss", "socket.massive.com"), ("WS://LOCALHOST:80", "ws", "LOCALHOST"),
        ("ws://[::1]:9001/x?y=z", "ws", "::1"), ("http://127.0.0.1", "http", "127.0.0.1"),
    ])
    func `a URL is taken apart`(url: String, scheme: String, host: String) throws {
        let address = try #require(ServerAddress(url))
        #expect(address.scheme == scheme)
        #expect(address.host == host)
    }

    @Test(arguments: [
        "", "socket.massive.com", "wss:", "wss://", "wss:///x", "wss://user:pass@host", "wss://ho st", "wss://host:0",
        "wss://host:99999", "wss://host:x", "wss://[::1", "wss://[host]/", "wss://höst", "://host", "wss://host/#x",
    ])
    func `what is no URL is refused`(url: String) {
        #expect(ServerAddress(url) == nil)
    }
}
