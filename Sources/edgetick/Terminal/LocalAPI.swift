import Foundation
import MarketData

/// Asks the running collector of a data directory over HTTP, where one runs.
struct LocalAPI {
    /// What went wrong, in words for a remark.
    struct Failure: Error {
        let description: String
    }

    /// `http://127.0.0.1:8080/`
    let address: String
    private let host: String
    private let port: String
    private let token: Secret?

    /// The collector that keeps `directory`; `nil` when none left its address there.
    init?(directory: String, token: Secret?) {
        let file = directory + "/" + WebListener.addressFileName
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let address = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let url = URL(string: address), let host = url.host, let port = url.port else { return nil }
        self.address = address
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = String(port)
        self.token = token
    }

    /// The JSON object at a path. Blocks, three seconds at most in each wait.
    func get(_ path: String) throws(Failure) -> [String: Any] {
        let (status, body) = try exchange(path)
        let value = (try? JSONSerialization.jsonObject(with: body)) as? [String: Any]
        guard status == 200, let value else {
            if status == 401 { throw Failure(description: "the collector asks for HTTP_TOKEN, and it is not set here") }
            throw Failure(description: "\(address) answered \(status)")
        }
        return value
    }

    private func exchange(_ path: String) throws(Failure) -> (status: Int, body: Data) {
        let socket = try connected()
        defer { close(socket) }
        let name = host.contains(":") ? "[\(host)]" : host
        var head = "GET \(path) HTTP/1.1\r\nHost: \(name):\(port)\r\nConnection: close\r\nAccept: application/json\r\n"
        if let token { head += "Authorization: Bearer \(token.reveal())\r\n" }
        var rest = Array((head + "\r\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw failed() }
            rest = rest.dropFirst(count)
        }
        var answer = Data()
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count >= 0 else { throw failed() }
            if count == 0 { break }
            answer.append(contentsOf: chunk[..<count])
            guard answer.count < 64 << 20 else { throw Failure(description: "\(address) answers without end") }
        }
        guard let end = answer.range(of: Data("\r\n\r\n".utf8)),
            let line = String(data: answer[..<end.lowerBound], encoding: .utf8)?.prefix(while: { $0 != "\r\n" }),
            let status = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw Failure(description: "\(address) is no collector") }
        return (status, answer[end.upperBound...])
    }

    private func connected() throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, port, &hints, &list) == 0, let first = list else {
            throw Failure(description: "\(host) is not found")
        }
        defer { freeaddrinfo(list) }
        let socket = Glibc.socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw failed() }
        // A `struct timeval`: seconds and microseconds.
        var limit: [Int] = [3, 0]
        let size = socklen_t(MemoryLayout<Int>.size * 2)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard connect(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
            let failure = failed()
            close(socket)
            throw failure
        }
        return socket
    }

    private func failed() -> Failure {
        Failure(
            description: errno == EAGAIN
                ? "\(address) does not answer in time" : "\(address): \(String(cString: strerror(errno)))")
    }
}
