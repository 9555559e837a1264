import Glibc

/// The socket of the supervisor that started the process, such as systemd with `Type=notify`: sd_notify(3).
struct SupervisorSocket: Sendable, Equatable {
    /// A path, or `@` and a name in Linux's abstract namespace.
    let address: String
    /// How long the supervisor waits for a sign of life before it restarts the process; `nil` = it doesn't.
    let watchdog: Duration?

    /// Finds the socket named in the environment; `nil` if there is none. The watchdog counts only if it is meant for
    /// `process`.
    init?(environment: [String: String], process: pid_t) {
        guard let address = environment["NOTIFY_SOCKET"], address.first == "/" || address.first == "@",
            address.utf8.count > 1, address.utf8.count < Self.capacity
        else { return nil }
        self.address = address
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(process)" } ?? true
        watchdog = environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap {
            isMeant && $0 > 0 ? .microseconds($0) : nil
        }
    }

    /// Sends assignments, one per line; never blocks.
    ///
    /// - Returns: 0, or the system's error number.
    @discardableResult
    func send(_ assignments: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let sent = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(
                    descriptor, assignments, assignments.utf8.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), address,
                    length)
            }
        }
        return sent < 0 ? errno : 0
    }

    /// Tells the supervisor that the shutdown has begun.
    func sayStopping() { send("STOPPING=1\nSTATUS=stopping: committing what is in memory") }

    private static let capacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
}
