import Foundation

/// A Unix datagram socket that receives messages, as a supervisor's does.
public final class DatagramInbox: Sendable {
    /// The address of the socket: a path, or `@` and an abstract name.
    public let address: String
    private let descriptor: Int32

    /// Binds the socket.
    public init(_ address: String) throws {
        self.address = address
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let status = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EINVAL) }
    }

    deinit { close(descriptor) }

    /// Returns the next message, or `nil` when none arrives in time.
    public func next(within limit: Duration = .seconds(30)) async -> String? {
        // Blocks a separate thread: the sender may need all of Swift's.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in continuation.resume(returning: receive(within: limit)) }
        }
    }

    private func receive(within limit: Duration) -> String? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, Int32(limit / .milliseconds(1))) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// Returns the next message that contains `text`, or `nil` when none arrives in time.
    public func next(containing text: String, within limit: Duration = .seconds(30)) async -> String? {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            guard let message = await next(within: limit) else { return nil }
            if message.contains(text) { return message }
        }
        return nil
    }
}
