package import Collector

/// Whether the collector does its work: `/health/ready`, `/health/live`, and a part of ``StatusJSON``.
package struct HealthJSON: WireObject {
    package struct Check: WireObject {
        package var status: Health.Level
        package var detail: String?

        package static let meanings = [
            "detail": "What is wrong and what to do, or the current state; null if a token is set and not sent"
        ]
    }

    package var status: Health.Level
    package var is_live: Bool
    package var is_ready: Bool
    package var headline: String?
    package var checks: [String: Check]
    package var timestamp_ms: Int64

    package static let meanings = [
        "status": "The worst of the checks",
        "is_live": "Whether all loops are making progress",
        "is_ready": "Whether the collector collects",
        "headline": "The worst problem in one line and how many more there are; null when nothing is wrong",
        "checks": "By name",
        "timestamp_ms": "The time of this state",
    ]

    /// - Parameters:
    ///   - checks: The checks to include; all if `nil`.
    ///   - showsDetails: Whether the reader may see the details and the headline.
    ///   - time: In milliseconds since the Unix epoch.
    package init(_ health: Health, checks: [Health.Check]? = nil, showsDetails: Bool = true, at time: Int64) {
        let checks = checks ?? health.checks
        status = checks.map(\.level).max() ?? .ok
        is_live = health.isLive
        is_ready = health.isReady
        headline = showsDetails ? health.headline : nil
        self.checks = Dictionary(
            uniqueKeysWithValues: checks.map {
                ($0.name, Check(status: $0.level, detail: showsDetails ? $0.detail : nil))
            })
        timestamp_ms = time
    }
}
