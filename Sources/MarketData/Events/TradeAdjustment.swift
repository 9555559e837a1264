/// The role of a trade that is not an ordinary one, according to its conditions.
///
/// A bar's volume is never recomputed from it: the provider's bars are stored as they are, and `edgetick reconcile`
/// fetches those that the tape has changed.
public enum TradeAdjustment: String, Sendable, CaseIterable, Codable {
    /// It cancels another trade.
    case cancelled
    /// It corrects another trade, or the close.
    case corrected
    /// It was sent in error.
    case wrong

    /// The conditions that say so, by the numbers of the provider's list of trade conditions as of 2019-01-24.
    public static let conditions: [Int: TradeAdjustment] = [
        38: .corrected,  // corrected consolidated close
        44: .cancelled,  // cancelled
        46: .corrected,  // correction
        48: .corrected,  // correction of an earlier day's trade
        49: .cancelled,  // cancellation of an earlier day's trade
        54: .wrong,  // errored
    ]

    /// Reads a list of conditions as the buffer stores it, such as `[0,44]`; `nil` for an ordinary trade.
    public init?(conditions text: some StringProtocol) {
        var text = String(text)
        guard let found = text.withUTF8({ TradeAdjustment(conditions: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = found
    }

    /// Reads the same list from its bytes.
    public init?(conditions text: UnsafeRawBufferPointer) {
        var number = 0
        for byte in text {
            if 0x30...0x39 ~= byte {
                number = min(number * 10 + Int(byte - 0x30), Self.table.count)
                continue
            }
            if number < Self.table.count, let found = Self.table[number] {
                self = found
                return
            }
            number = 0
        }
        guard number < Self.table.count, let found = Self.table[number] else { return nil }
        self = found
    }

    private static let table = (0...(conditions.keys.max() ?? 0)).map { conditions[$0] }
}
