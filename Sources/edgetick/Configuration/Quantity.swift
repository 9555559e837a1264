import MarketData

/// Reads amounts as people write them: `500ms`, `2m`, `8GiB`, `1.5 h`.
enum Quantity {
    /// Reads a duration: a bare number counts in `unit`; otherwise `ms`, `s`, `m`, `h` or `d` follows, or the unit's
    /// full name.
    ///
    /// - Returns: `nil` for anything else, and for more than about 290 years.
    static func duration(_ text: String, unit: Duration) -> Duration? {
        guard let (number, suffix) = split(text) else { return nil }
        let scale: Duration
        switch suffix {
        case "": scale = unit
        case "ms": scale = .milliseconds(1)
        case "s", "sec", "second", "seconds": scale = .seconds(1)
        case "m", "min", "minute", "minutes": scale = .seconds(60)
        case "h", "hour", "hours": scale = .seconds(3600)
        case "d", "day", "days": scale = .seconds(86_400)
        default: return nil
        }
        let (seconds, attoseconds) = scale.components
        return number.times(seconds * 1_000_000_000 + attoseconds / 1_000_000_000).map { .nanoseconds($0) }
    }

    /// A duration as a setting is written, with the largest unit that divides it: `90m`, `500ms`.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        if milliseconds % 1000 != 0 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        for (unit, size) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)] where seconds >= size && seconds % size == 0
        {
            return "\(seconds / size)\(unit)"
        }
        return "\(seconds)s"
    }

    /// Reads a size in bytes: a bare number, or one with `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`,
    /// `GiB`, `TiB` (powers of 1024), in any case. `K`, `M`, `G` and `T` mean powers of 1024, as in systemd and docker.
    static func bytes(_ text: String) -> Int64? {
        guard let (number, suffix) = split(text) else { return nil }
        switch suffix.lowercased() {
        case "", "b": return number.times(1)
        case "kb": return number.times(1_000)
        case "mb": return number.times(1_000_000)
        case "gb": return number.times(1_000_000_000)
        case "tb": return number.times(1_000_000_000_000)
        case "kib", "ki", "k": return number.times(1 << 10)
        case "mib", "mi", "m": return number.times(1 << 20)
        case "gib", "gi", "g": return number.times(1 << 30)
        case "tib", "ti", "t": return number.times(1 << 40)
        default: return nil
        }
    }

    /// A decimal number without sign or exponent.
    private struct Number {
        var whole: Int64
        var fraction: Int64
        var fractionScale: Int64

        /// The product, truncated to an integer; `nil` if it does not fit.
        func times(_ factor: Int64) -> Int64? {
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            let part = fraction.multipliedFullWidth(by: factor)
            let (quotient, _) = fractionScale.dividingFullWidth(part)
            let (sum, overflows) = product.addingReportingOverflow(quotient)
            return overflow || overflows ? nil : sum
        }
    }

    private static func split(_ text: String) -> (Number, suffix: String)? {
        let digits = text.prefix { "0123456789.".contains($0) }
        let suffix = text.dropFirst(digits.count).drop { $0 == " " }
        let pieces = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(pieces.count), let whole = Int64(pieces[0]) else { return nil }
        guard pieces.count == 2 else { return (Number(whole: whole, fraction: 0, fractionScale: 1), String(suffix)) }
        guard (1...9).contains(pieces[1].count), let fraction = Int64(pieces[1]) else { return nil }
        let scale = pieces[1].reduce(Int64(1)) { scale, _ in scale * 10 }
        return (Number(whole: whole, fraction: fraction, fractionScale: scale), String(suffix))
    }
}
