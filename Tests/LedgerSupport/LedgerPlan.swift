public import MarketData

/// What numbered events look like; together with a number, it determines every byte of an event.
///
/// Event `id` is of kind `kinds[id % kinds.count]`. With `n = id / kinds.count`, its symbol is
/// `symbols[n % symbols.count]`. With `m = n / symbols.count`, its time is ``start`` plus `m` windows for a bar's
/// start, or plus `m` milliseconds for other events. So no two bars have the same symbol, length and start.
///
/// With a ``step``, the events of all kinds share one clock, as in a real feed: event `m` of a kind and symbol happens
/// `m` steps after ``start``, which for a bar is its end.
public struct LedgerPlan: Sendable, Equatable {
    /// The kinds, in turn.
    public var kinds: [EventKind]
    /// The symbols, in turn.
    public var symbols: [Symbol]
    /// Selects the prices and sizes.
    public var seed: UInt64
    /// The time of the first events, in milliseconds since the Unix epoch; without a ``step``, a whole minute.
    public var start: Int64
    /// The milliseconds between two events of one kind and symbol, for every kind; `nil` means that each kind has its
    /// own interval.
    public var step: Int64?

    /// Makes a plan; `start` is rounded down to a whole minute (2024-01-02 14:30 UTC unless given).
    public init(kinds: [EventKind], symbols: [Symbol], seed: UInt64 = 1, start: Int64 = 1_704_205_800_000) {
        self.kinds = kinds
        self.symbols = symbols
        self.seed = seed
        self.start = start - start % 60_000
    }

    /// Makes a plan whose events of all kinds share one clock, `step` milliseconds apart (at least 1).
    public init(kinds: [EventKind], symbols: [Symbol], seed: UInt64 = 1, start: Int64, step: Int64) {
        self.kinds = kinds
        self.symbols = symbols
        self.seed = seed
        self.start = start
        self.step = max(1, step)
    }

    /// Returns the event with this number.
    public func event(_ id: UInt64) -> LedgerEvent { LedgerEvent(id: id, plan: self) }

    /// Returns the number of the event with this kind, symbol and time (a bar's start), or `nil` if the plan has none.
    public func id(of kind: EventKind, symbol: Symbol, time: Int64) -> UInt64? {
        guard let kindIndex = kinds.firstIndex(of: kind), let symbolIndex = symbols.firstIndex(of: symbol) else {
            return nil
        }
        let step = step(of: kind)
        let first = self.time(of: kind, turn: 0)
        guard time >= first, (time - first) % step == 0 else { return nil }
        let turn = UInt64((time - first) / step)
        return (turn * UInt64(symbols.count) + UInt64(symbolIndex)) * UInt64(kinds.count) + UInt64(kindIndex)
    }

    /// Returns a bar's start, or another event's time, in one turn through all kinds and symbols.
    func time(of kind: EventKind, turn: UInt64) -> Int64 {
        let time = start + Int64(turn) * step(of: kind)
        return step == nil ? time : time - LedgerPlan.window(of: kind)
    }

    /// The milliseconds that a bar covers; 0 for other kinds.
    static func window(of kind: EventKind) -> Int64 { kind.interval?.milliseconds ?? 0 }

    /// The milliseconds between two events of one kind and symbol.
    private func step(of kind: EventKind) -> Int64 { step ?? max(1, LedgerPlan.window(of: kind)) }
}
