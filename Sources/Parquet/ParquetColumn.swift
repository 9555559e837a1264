/// A column of a Parquet file. Every column may hold nulls.
public struct ParquetColumn: Sendable, Equatable {
    /// The type of a column's values.
    public enum Kind: Sendable, Equatable {
        /// Yes or no; appended as 1 or 0.
        case flag
        /// A whole number of 32 bits.
        case small
        /// A whole number of 64 bits.
        case whole
        /// A decimal of up to 18 digits, `scale` of them after the point; appended as a whole number of units of its
        /// last digit.
        case decimal(scale: Int)
        /// A moment in UTC; appended as the number of units since the Unix epoch.
        case timestamp(Unit)
        /// A text in UTF-8.
        case text
    }

    /// The unit of a moment.
    public enum Unit: Sendable, Equatable {
        case milliseconds
        case microseconds
        case nanoseconds
    }

    /// The column's name.
    public var name: String
    var kind: Kind

    /// Makes a column.
    public init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }

    /// The number of the physical type.
    var type: Int32 {
        switch kind {
        case .flag: 0
        case .small: 1
        case .whole, .decimal, .timestamp: 2
        case .text: 6
        }
    }

    /// The column's element in the schema.
    var schema: CompactStruct {
        var element = CompactStruct()
        element.add(1, type)
        element.add(3, Int32(1))
        element.add(4, name)
        switch kind {
        case .flag, .small, .whole: break
        case .text:
            element.add(6, Int32(0))
            element.add(10, Self.union(1))
        case .decimal(let scale):
            element.add(6, Int32(5))
            element.add(7, Int32(scale))
            element.add(8, Int32(18))
            var decimal = CompactStruct()
            decimal.add(1, Int32(scale))
            decimal.add(2, Int32(18))
            element.add(10, Self.union(5, decimal))
        case .timestamp(let unit):
            // The older form of the annotation has no nanoseconds.
            if unit != .nanoseconds { element.add(6, Int32(unit == .milliseconds ? 9 : 10)) }
            var moment = CompactStruct()
            moment.add(1, true)
            moment.add(2, Self.union(unit == .milliseconds ? 1 : unit == .microseconds ? 2 : 3))
            element.add(10, Self.union(8, moment))
        }
        return element
    }

    private static func union(_ field: Int, _ part: CompactStruct = CompactStruct()) -> CompactStruct {
        var union = CompactStruct()
        union.add(field, part)
        return union
    }
}
