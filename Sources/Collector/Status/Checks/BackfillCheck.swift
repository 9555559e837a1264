import MarketData
import Store

extension Health.Check {
    /// How many seconds a failure to fill gaps may last before the backfill is degraded.
    static let backfillLimit = 1800.0
    /// For how many milliseconds a gap that was given up, or a part of one, makes the backfill degraded: long enough
    /// for whoever looks once a day.
    static let givenUpMemory: Int64 = 86_400_000

    /// Whether gaps that are over are filled, if the settings want that.
    static func backfill(_ snapshot: CollectorSnapshot) -> Self {
        let open = snapshot.buffer.openGaps
        let left = open.counted("gap is", "gaps are")
        switch snapshot.backfill {
        case .off(let why):
            return Self("backfill", ok: "off: \(why)")
        case .lacking(let why):
            guard open > 0 else { return Self("backfill", ok: "off: \(why)") }
            return Self("backfill", .degraded, "\(left) not filled: \(why)")
        case .filling(let failure):
            if let failure, snapshot.age(of: failure.since) > backfillLimit {
                let minutes = Int(snapshot.age(of: failure.since) / 60)
                return Self(
                    "backfill", .degraded, "a gap has not been filled for \(minutes) minutes: \(failure.description)")
            }
            if let last = snapshot.buffer.lastGivenUpGap, abs(snapshot.time - last) < givenUpMemory {
                return Self(
                    "backfill", .degraded,
                    "within the last day, a gap could not be filled, or not completely; edgetick gaps shows which "
                        + "events are missing and why")
            }
            guard open > 0 else { return Self("backfill", ok: "no gap is open") }
            return Self("backfill", ok: "\(left) open; those older than BACKFILL_REACH are left to edgetick backfill")
        }
    }
}
