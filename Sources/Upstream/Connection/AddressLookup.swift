import Dispatch
import Glibc
import Synchronization

/// Looks up a server's addresses on a separate thread, because getaddrinfo(3) takes no deadline.
enum AddressLookup {
    /// The numeric addresses of `name`, in the order to try them. Blocks until `deadline` at most; a lookup that takes
    /// longer continues in the background until the resolver gives up.
    static func addresses(
        of name: String, until deadline: Deadline, interrupt: Wakeup
    ) throws(UpstreamError) -> [String] {
        let operation = "look up \(name)"
        let done = Wakeup()
        let box = ResultBox()
        DispatchQueue.global(qos: .utility).async {
            let found = lookUp(name, operation)
            box.result.withLock { $0 = found }
            done.signal()
        }
        switch wait(for: Int16(POLLIN), on: done.descriptor, until: deadline, interrupt: interrupt) {
        case .interrupted: throw UpstreamError(.cancelled, operation, "cancelled")
        case .deadline: throw UpstreamError(.connectionLost, operation, "the name server didn't respond in time")
        case .ready: break
        }
        let result = box.result.withLock { $0 } ?? .failure(UpstreamError(.connectionLost, operation, "no response"))
        return try result.get()
    }

    private final class ResultBox: Sendable {
        let result = Mutex<Result<[String], UpstreamError>?>(nil)
    }

    private static func lookUp(_ name: String, _ operation: String) -> Result<[String], UpstreamError> {
        func failure(_ text: String) -> Result<[String], UpstreamError> {
            .failure(UpstreamError(.connectionLost, operation, text))
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else { return failure(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let result = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if result == 0 {
                let end = text.firstIndex(of: 0) ?? text.endIndex
                addresses.append(String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? failure("the name has no address") : .success(addresses)
    }
}
