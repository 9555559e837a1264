/// What a trade's conditions say that makes it no trade of its own.
///
/// A bar's volume is never worked out again from it: the provider's bars are what they are, and `edgetick reconcile` brings
/// those that the tape has changed.
public enum TradeAdjustment: String, Sendable, CaseIterable, Codable {
    /// Another trade is taken back.
    case cancelled
    /// Another trade, or the close, has other numbers.
    case corrected
    /// It was sent in error.
    case wrong

    /// The conditions that say so, by the numbers of the provider's list of trade conditions as of ``listDate``.
    public static let conditions: [Int: TradeAdjustment] = [
        38: .corrected,  // corrected consolidated close
        44: .cancelled,  // cancelled
        46: .corrected,  // correction
        48: .corrected,  // correction of an earlier day's trade
        49: .cancelled,  // cancellation of an earlier day's trade
        54: .wrong,  // errored
    ]

    /// The date of the list that the numbers are of.
    public static let listDate = "2019-01-24"

    /// What a list of conditions says, written as the buffer keeps it: `[0,44]`. `nil` for an ordinary trade.
    public init?(conditions text: some StringProtocol) {
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        guard let found = numbers.lazy.compactMap({ Self.conditions[$0] }).first else { return nil }
        self = found
    }
}
