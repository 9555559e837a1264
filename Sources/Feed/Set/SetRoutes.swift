import MarketData

/// Which connections deliver a symbol: a copy for readers, replaced as a whole.
final class SetRoutes: Sendable {
    let slots: [Symbol: SlotSet]
    /// The members' ids by slot.
    let ids: [String?]

    init(slots: [Symbol: SlotSet] = [:], ids: [String?] = []) {
        self.slots = slots
        self.ids = ids
    }
}
