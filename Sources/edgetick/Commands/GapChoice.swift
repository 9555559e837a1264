import Backfill
import MarketData
import Store

/// Chooses the gaps that `edgetick backfill` fills, and reads a bounded number of them at a time.
struct GapChoice: Sendable {
    /// Some of the gaps that were chosen.
    struct Part {
        /// The gaps, in the order in which they were recorded.
        var gaps: [GapRecord] = []
        /// How many others are too new.
        var tooNew = 0
        /// Gaps with a lower number are in the parts that follow.
        var first: Int64
    }

    /// The most gaps that are read at once.
    static let most = 1000

    let directory: String
    /// Whether gaps that were closed without their trades and quotes are chosen too.
    let takesClosed: Bool
    /// Gaps that ended later are too new, in milliseconds since the Unix epoch.
    let latest: Int64

    /// Returns the newest part of the gaps with a lower number than `id`; `nil` if there are no such gaps.
    func part(before id: Int64 = .max) throws(StoreError) -> Part? {
        let states = takesClosed ? Set(GapState.allCases) : GapState.unsettled
        let records = try GapLog.read(directory: directory, states: states, before: id, limit: Self.most, fills: .all)
        guard let first = records.first else { return nil }
        var part = Part(first: first.id)
        for record in records where GapState.unsettled.contains(record.state) || record.lacksTicks {
            if let end = record.gap.to, end > latest {
                part.tooNew += 1
            } else {
                part.gaps.append(record)
            }
        }
        return part
    }

    /// Returns how many gaps are chosen, and how many others are too new.
    func count() throws(StoreError) -> (chosen: Int, tooNew: Int) {
        var (chosen, tooNew) = (0, 0)
        var next = Int64.max
        while let part = try self.part(before: next) {
            chosen += part.gaps.count
            tooNew += part.tooNew
            next = part.first
        }
        return (chosen, tooNew)
    }
}
