/// The link to the next page of an answer, led back to the server that was asked.
///
/// A proxy's answers carry the provider's own name, or a port that was put on twice. Only the link's path and query are
/// taken, on the own base: the key goes to no other server, and what was read before is not lost.
enum PageLink {
    /// The address of the next page; `nil` when the link has no path of printable characters.
    ///
    /// - Parameters:
    ///   - base: scheme, host and port of the server that was asked.
    ///   - prefix: the path before its routes, empty or such as `/massive`; it is put on once.
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
