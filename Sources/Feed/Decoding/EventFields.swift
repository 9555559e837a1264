/// The fields of one JSON object by name: plain numbers already read, all else as a place in the frame.
///
/// The last field of a name wins. A slot holds something only where one of the masks has its bit.
struct EventFields {
    /// What a slot that isn't a plain number holds.
    struct Kind: Equatable {
        let rawValue: UInt8

        @inline(__always)
        init(rawValue: UInt8) { self.rawValue = rawValue }

        @inline(__always) static var null: Kind { Kind(rawValue: 0) }
        @inline(__always) static var boolTrue: Kind { Kind(rawValue: 1) }
        @inline(__always) static var boolFalse: Kind { Kind(rawValue: 2) }
        /// A string without escapes; the place is between the quotes.
        @inline(__always) static var string: Kind { Kind(rawValue: 3) }
        /// A string with escapes; the place is between the quotes.
        @inline(__always) static var escapedString: Kind { Kind(rawValue: 4) }
        /// A number in any form.
        @inline(__always) static var number: Kind { Kind(rawValue: 5) }
        /// An array of small non-negative integers, without spaces; the place has the brackets.
        @inline(__always) static var plainArray: Kind { Kind(rawValue: 6) }
        /// Any other array; the place has the brackets.
        @inline(__always) static var array: Kind { Kind(rawValue: 7) }
        @inline(__always) static var object: Kind { Kind(rawValue: 8) }
    }

    struct Slot {
        /// A plain number's digits, or the place's start.
        var payload: UInt64
        /// How many of the digits are decimals, or the place's length and kind.
        var detail: UInt64
    }

    let slots: UnsafeMutablePointer<Slot>
    /// Keys that hold a plain number: non-negative, at most 15 digits, without exponent.
    var numbers: UInt64 = 0
    /// Keys that hold something else.
    var others: UInt64 = 0

    init(slots: UnsafeMutablePointer<Slot>) {
        self.slots = slots
        forgetLeftOut()
    }

    /// Optional fields that were left out of the event because of their form, and why the last of them was.
    ///
    /// Kept in a slot that no field has, so that reading a field changes nothing but memory off the usual path.
    @inline(__always)
    var leftOut: (keys: UInt64, reason: UInt64) {
        (slots[EventFields.leftOutSlot].payload, slots[EventFields.leftOutSlot].detail)
    }

    private static let leftOutSlot = 62

    /// Notes that a field had to be left out.
    @inline(never)
    func leaveOut(_ key: FieldKey, _ reason: DecodeRejects.Reason) {
        slots[EventFields.leftOutSlot].payload |= key.bit
        slots[EventFields.leftOutSlot].detail = UInt64(reason.index)
    }

    /// Begins an event of which nothing was left out.
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

    /// Keeps a plain number.
    @inline(__always)
    static func set(
        _ key: FieldKey, digits: UInt64, decimals: UInt64, slots: UnsafeMutablePointer<Slot>,
        numbers: inout UInt64, others: inout UInt64
    ) {
        slots[Int(key.index)] = Slot(payload: digits, detail: decimals)
        numbers |= key.bit
        others &= ~key.bit
    }

    /// Keeps a place in the frame.
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
