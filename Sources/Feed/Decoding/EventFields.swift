/// The fields of one JSON object by name. Plain numbers are already parsed; any other value is a range of the frame.
///
/// If a name occurs twice, the last field wins. A slot is valid only if one of the masks has its bit.
struct EventFields {
    /// The type of a value that isn't a plain number.
    struct Kind: Equatable {
        let rawValue: UInt8

        @inline(__always)
        init(rawValue: UInt8) { self.rawValue = rawValue }

        @inline(__always) static var null: Kind { Kind(rawValue: 0) }
        @inline(__always) static var boolTrue: Kind { Kind(rawValue: 1) }
        @inline(__always) static var boolFalse: Kind { Kind(rawValue: 2) }
        /// A string without escapes; the range excludes the quotes.
        @inline(__always) static var string: Kind { Kind(rawValue: 3) }
        /// A string with escapes; the range excludes the quotes.
        @inline(__always) static var escapedString: Kind { Kind(rawValue: 4) }
        /// A number in any form.
        @inline(__always) static var number: Kind { Kind(rawValue: 5) }
        /// An array of small non-negative integers without spaces; the range includes the brackets.
        @inline(__always) static var plainArray: Kind { Kind(rawValue: 6) }
        /// Any other array; the range includes the brackets.
        @inline(__always) static var array: Kind { Kind(rawValue: 7) }
        @inline(__always) static var object: Kind { Kind(rawValue: 8) }
    }

    struct Slot {
        /// A plain number's digits, or the start of the range.
        var payload: UInt64
        /// How many of the digits are decimals, or the length of the range and the kind.
        var detail: UInt64
    }

    let slots: UnsafeMutablePointer<Slot>
    /// The keys whose value is a plain number: non-negative, at most 15 digits, no exponent.
    var numbers: UInt64 = 0
    /// The keys with any other value.
    var others: UInt64 = 0

    init(slots: UnsafeMutablePointer<Slot>) {
        self.slots = slots
        forgetLeftOut()
    }

    /// The optional fields that were left out of the event because of their form, and why the last one was.
    ///
    /// Kept in a slot that no field uses, so that reading a field never mutates the struct and rarely writes memory.
    @inline(__always)
    var leftOut: (keys: UInt64, reason: UInt64) {
        (slots[EventFields.leftOutSlot].payload, slots[EventFields.leftOutSlot].detail)
    }

    private static let leftOutSlot = 62

    /// Records that a field was left out.
    @inline(never)
    func leaveOut(_ key: FieldKey, _ reason: DecodeRejects.Reason) {
        slots[EventFields.leftOutSlot].payload |= key.bit
        slots[EventFields.leftOutSlot].detail = UInt64(reason.index)
    }

    /// Clears ``leftOut`` for the next event.
    @inline(__always)
    func forgetLeftOut() { slots[EventFields.leftOutSlot] = Slot(payload: 0, detail: 0) }

    @inline(__always)
    func digits(_ key: FieldKey) -> UInt64 { slots[Int(key.index)].payload }

    @inline(__always)
    func decimals(_ key: FieldKey) -> UInt64 { slots[Int(key.index)].detail }

    @inline(__always)
    func kind(_ key: FieldKey) -> Kind {
        Kind(rawValue: UInt8(truncatingIfNeeded: slots[Int(key.index)].detail))
    }

    @inline(__always)
    func start(_ key: FieldKey) -> Int { Int(truncatingIfNeeded: slots[Int(key.index)].payload) }

    @inline(__always)
    func length(_ key: FieldKey) -> Int { Int(truncatingIfNeeded: slots[Int(key.index)].detail &>> 8) }

    /// Stores a plain number.
    @inline(__always)
    static func set(
        _ key: FieldKey, digits: UInt64, decimals: UInt64, slots: UnsafeMutablePointer<Slot>,
        numbers: inout UInt64, others: inout UInt64
    ) {
        slots[Int(key.index)] = Slot(payload: digits, detail: decimals)
        numbers |= key.bit
        others &= ~key.bit
    }

    /// Stores a range of the frame.
    @inline(__always)
    static func set(
        _ key: FieldKey, _ kind: Kind, from start: Int, to end: Int, slots: UnsafeMutablePointer<Slot>,
        numbers: inout UInt64, others: inout UInt64
    ) {
        slots[Int(key.index)] = Slot(
            payload: UInt64(truncatingIfNeeded: start),
            detail: UInt64(truncatingIfNeeded: end &- start) &<< 8 | UInt64(kind.rawValue))
        others |= key.bit
        numbers &= ~key.bit
    }
}
