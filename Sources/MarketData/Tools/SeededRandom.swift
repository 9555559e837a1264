/// A small pseudo-random number generator whose sequence depends only on its seed, on every machine: SplitMix64
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    @usableFromInline var state: UInt64

    /// Starts the sequence of this seed.
    @inlinable
    public init(seed: UInt64) { state = seed }

    /// Returns the next number.
    @inlinable
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// Returns a whole number from 0 up to but not including `bound`.
    @inlinable
    public mutating func below(_ bound: Int) -> Int {
        Int((next() >> 32).multipliedFullWidth(by: UInt64(bound) << 32).high)
    }

    /// Returns `true` with a probability of `share` in a million.
    @inlinable
    public mutating func happens(perMillion share: Int) -> Bool { below(1_000_000) < share }

    /// Spreads every bit of `value` over the result.
    @inlinable
    public static func mixed(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
