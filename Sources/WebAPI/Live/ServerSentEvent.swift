import NIOCore

/// The text form of server-sent events (WHATWG HTML, section 9.2).
enum ServerSentEvent {
    /// How long a reader that lost its connection should wait, in milliseconds.
    static let retry = ByteBuffer(string: "retry: 2000\n\n")
    /// A comment that keeps the connection from looking idle.
    static let heartbeat = ByteBuffer(string: ": still here\n\n")

    /// One message; `data` is JSON without line breaks.
    static func message(_ event: EventName, place: String, data: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(data.count + event.rawValue.utf8.count + place.utf8.count + 24)
        buffer.writeString("event: \(event.rawValue)\nid: \(place)\ndata: ")
        buffer.writeBytes(data)
        buffer.writeString("\n\n")
        return buffer
    }
}

/// A position in the stream of market events, sent as the `id` of a message: the run's identifier and the number of the
/// next event.
///
/// A reader that reconnects with one (`Last-Event-ID`) gets the events that it missed, as far as memory still has them.
struct EventPlace: Equatable {
    /// Differs between two runs of the program, whose numbers both begin at 0.
    var run: String
    var next: UInt64

    var text: String { "\(run)-\(next)" }
}

extension EventPlace {
    /// Reads the text form; `nil` for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let next = UInt64(parts[1]) else { return nil }
        self.init(run: String(parts[0]), next: next)
    }
}
