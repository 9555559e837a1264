import MarketData

/// Which connections deliver a symbol: a copy for readers.
struct SetRoutes: Sendable {
    var slots: [Symbol: SlotSet] = [:]
    /// The members' ids by slot.
    var ids: [String?] = []
}
