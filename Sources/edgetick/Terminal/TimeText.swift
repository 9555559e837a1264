import Foundation

/// Moments for people's eyes.
enum TimeText {
    /// `2026-08-01T09:30:00Z` of milliseconds since the Unix epoch.
    static func of(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }

    /// Milliseconds since the Unix epoch.
    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
