import Glibc

/// When a pull last succeeded, in a small file beside the mirror, so that a pull that finds nothing new leaves the
/// mirror alone.
enum PullMark {
    private static func path(besides mirror: String) -> String { mirror + ".pulled" }

    /// Returns the mark in milliseconds since the Unix epoch; `nil` if there is none or it can't be read.
    static func read(besides mirror: String) -> Int64? {
        let descriptor = open(path(besides: mirror), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return Int64(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// Writes the mark. It only serves to show an age: if it can't be written, the age seems greater than it is.
    static func write(_ milliseconds: Int64, besides mirror: String) {
        _ = PrivateFile.replace(path(besides: mirror), with: Array("\(milliseconds)\n".utf8))
    }
}
