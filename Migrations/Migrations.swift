/// One numbered step of a schema, as the SQL file that the binary carries.
public struct Migration: Sendable {
    /// The step's number within its schema; starts at 1.
    public let version: Int
    /// The statements, separated by semicolons.
    public let sql: String

    init(_ version: Int, _ bytes: [UInt8]) {
        self.version = version
        sql = String(decoding: bytes, as: UTF8.self)
    }
}
