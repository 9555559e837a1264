/// When a pull last succeeded, in a small file beside the mirror: a pull that finds nothing new doesn't write the mirror.
enum PullMark {
    private static func path(besides mirror: String) -> String { mirror + ".pulled" }

    /// Returns the mark in milliseconds since the Unix epoch; `nil` if there is none or it can't be read.
    static func read(besides mirror: String) -> Int64? {
        PrivateFile.beginning(of: path(besides: mirror), 32).flatMap { bytes in
            Int64(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
        }
    }

    /// Writes the mark. It only serves to show an age: if it can't be written, the age seems greater than it is.
    static func write(_ milliseconds: Int64, besides mirror: String) {
        _ = PrivateFile.replace(path(besides: mirror), with: Array("\(milliseconds)\n".utf8))
    }
}
