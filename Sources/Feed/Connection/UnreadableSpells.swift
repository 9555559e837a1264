import MarketData

/// Decides which events that can't be decoded make one gap: those of a kind that come at most ``quiet`` apart, which is
/// longer than the interval of minute bars.
///
/// A bad event does not make a gap of its own, and a kind with one bad event every minute does not keep its gap open
/// forever.
struct UnreadableSpells: Sendable {
    struct Spell: Sendable, Equatable {
        /// Where the events had come to before the spell, in milliseconds since the Unix epoch.
        let from: Int64
        /// Where they had come to after the last bad event; `nil` until that is known.
        var to: Int64?
        /// The symbols affected.
        var extent = UnreadableEvents.Extent()
        /// The version of the connection's channels.
        fileprivate var version: Int
        fileprivate let began: Duration
        fileprivate var last: Duration
    }

    /// A spell is over when no bad event has come for this long.
    static let quiet: Duration = .seconds(90)
    /// A spell is over after this long in any case, because what is missing is not fetched before.
    static let longest: Duration = .seconds(900)

    private var spells: [EventKind: Spell] = [:]
    /// Where the last spell of a kind ended.
    private var ends: [EventKind: Int64] = [:]

    /// Whether no spell is under way.
    var isEmpty: Bool { spells.isEmpty }

    /// Adds bad events of a kind to the spell under way, if they affect nothing new. Returns whether they were added.
    mutating func goesOn(_ kind: EventKind, _ extent: UnreadableEvents.Extent, version: Int, now: Duration) -> Bool {
        guard let spell = spells[kind], spell.version == version, spell.extent.covers(extent) else { return false }
        spells[kind]?.last = now
        spells[kind]?.to = nil
        return true
    }

    /// Adds bad events of a kind to the spell under way, or begins one at `from`, where the kind's events had come to.
    /// Returns the spell.
    mutating func came(
        _ kind: EventKind, _ extent: UnreadableEvents.Extent, from: Int64, version: Int, now: Duration
    ) -> Spell {
        var spell =
            spells[kind] ?? Spell(from: max(from, ends[kind] ?? from), version: version, began: now, last: now)
        spell.version = version
        spell.last = now
        spell.to = nil
        for symbol in extent.symbols { spell.extent.add(symbol) }
        if extent.isWhole { spell.extent.add(nil) }
        spells[kind] = spell
        return spell
    }

    /// Records that the events have come to `time`.
    mutating func reached(_ time: Int64) {
        for (kind, spell) in spells where spell.to == nil { spells[kind]?.to = max(time, spell.from) }
    }

    /// Removes the spells that are over; returns where each ended.
    mutating func takeEnded(now: Duration) -> [EventKind: Int64] {
        let over = spells.filter { _, spell in
            spell.to != nil && (now - spell.last >= Self.quiet || now - spell.began >= Self.longest)
        }.compactMapValues(\.to)
        for (kind, to) in over {
            spells[kind] = nil
            ends[kind] = to
        }
        return over
    }
}
