import Glibc

extension WebConfiguration {
    /// Binds the address and releases it again, so that a collector with an unusable address refuses to start. Resolves
    /// the host's name, which may block.
    ///
    /// - Throws: ``WebError`` with the reason `bind`.
    public func checkAddress() throws(WebError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0, let first = list else {
            throw WebError.bind(
                host: host, port: port, code: EADDRNOTAVAIL, underlying: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(list) }
        let socket = Glibc.socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw failed(errno) }
        defer { close(socket) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(socket, 1) == 0 else {
            throw failed(errno)
        }
    }

    private func failed(_ code: Int32) -> WebError {
        .bind(host: host, port: port, code: code, underlying: String(cString: strerror(code)))
    }
}
