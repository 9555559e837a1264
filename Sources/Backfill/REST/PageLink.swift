/// Redirects the link to an answer's next page to the server that was asked.
///
/// An answer that came through a proxy may name the provider's own host, or a port that was appended twice. So only the
/// link's path and query are used, on the configured base: the key goes to no other server, and paging continues.
enum PageLink {
    /// Returns the address of the next page; `nil` when the link has no path of printable characters.
    ///
    /// - Parameters:
    ///   - base: scheme, host and port of the server that was asked.
    ///   - prefix: the path before its routes, empty or like `/massive`; it is added unless the link already has it.
    static func address(_ link: String, base: String, prefix: String) -> String? {
        var target = link[...]
        if let scheme = link.firstRange(of: "://") {
            let rest = link[scheme.upperBound...]
            target = rest.firstIndex(of: "/").map { rest[$0...] } ?? ""
        }
        target = target.prefix { $0 != "#" }
        guard target.hasPrefix("/"), !target.hasPrefix("//"), target.utf8.count <= 8192,
            target.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else { return nil }
        let hasPrefix = prefix.isEmpty || target.hasPrefix(prefix + "/")
        return base + (hasPrefix ? "" : prefix) + target
    }
}
