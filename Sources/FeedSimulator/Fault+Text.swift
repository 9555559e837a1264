import MarketData

extension Fault {
    /// The syntax of each fault, for help texts.
    public static let syntax = [
        "drop-every=FRAMES", "reset-every=FRAMES", "stall-after=FRAMES", "bad-login[=TIMES]", "auth-timeout[=TIMES]",
        "connection-limit=COUNT", "malformed-every=FRAMES", "duplicate-every=FRAMES", "late-corrections=SHARE",
        "close-code=CODE[@FRAMES]", "fragment=BYTES", "no-pongs", "refuse-symbol=SYMBOL", "compressed-looking[@FRAME]",
        "oversize[=BYTES][@FRAME]", "slow-consumer=FRAMES[@FRAME]",
    ]

    /// Reads a fault such as `drop-every=1000` or `close-code=1011@2000`.
    ///
    /// Throws an error with the reason ``SimulatorError/Reason/configuration`` that says what is allowed.
    public init(_ text: String) throws(SimulatorError) {
        let nameAndRest = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        var name = String(nameAndRest[0])
        var value = nameAndRest.count == 2 ? String(nameAndRest[1]) : nil
        var position: String?
        if let text = value, let at = text.lastIndex(of: "@") {
            value = String(text[..<at])
            position = String(text[text.index(after: at)...])
        } else if value == nil, let at = name.lastIndex(of: "@") {
            position = String(name[name.index(after: at)...])
            name = String(name[..<at])
        }
        let parts = FaultText(whole: text, name: name, value: value, position: position)
        self = try parts.fault()
    }
}

/// A fault's text, taken apart.
struct FaultText {
    let whole: String
    let name: String
    let value: String?
    let position: String?

    func fault() throws(SimulatorError) -> Fault {
        let takesPosition = ["close-code", "compressed-looking", "oversize", "slow-consumer"].contains(name)
        guard position == nil || takesPosition else { throw refusal("\(name) takes no '@FRAME'") }
        switch name {
        case "drop-every": return .dropEvery(frames: try count())
        case "reset-every": return .resetEvery(frames: try count())
        case "stall-after": return .stallAfter(frames: try count())
        case "bad-login": return .badLogin(times: try optionalCount())
        case "auth-timeout": return .authTimeout(times: try optionalCount())
        case "connection-limit": return .connectionLimit(try count())
        case "malformed-every": return .malformedEvery(frames: try count())
        case "duplicate-every": return .duplicateEvery(frames: try count())
        case "late-corrections": return .lateCorrections(share: try share())
        case "close-code": return .closeCode(try closeCode(), afterFrames: try frame(unless: 1))
        case "slow-consumer": return .slowConsumer(queued: try count(), frame: try frame(unless: 1))
        case "fragment": return .fragment(bytes: try count())
        case "refuse-symbol": return .refuseSymbol(try symbol())
        case "oversize": return .oversize(bytes: try optionalCount() ?? 17 << 20, frame: try frame(unless: 1))
        case "no-pongs":
            try requireNoValue()
            return .noPongs
        case "compressed-looking":
            try requireNoValue()
            return .compressedLooking(frame: try frame(unless: 1))
        default: throw refusal("there is no fault '\(name)'")
        }
    }

    private func refusal(_ why: String) -> SimulatorError {
        SimulatorError(
            reason: .configuration, operation: "reading the fault '\(whole)'", underlying: why,
            advice: "use one of: \(Fault.syntax.joined(separator: ", "))")
    }

    private func requireNoValue() throws(SimulatorError) {
        guard value == nil else { throw refusal("\(name) takes no value") }
    }

    private func count() throws(SimulatorError) -> Int {
        guard let number = try optionalCount() else { throw refusal("\(name) needs a whole number") }
        return number
    }

    private func optionalCount() throws(SimulatorError) -> Int? {
        guard let value else { return nil }
        return try positive(value)
    }

    private func frame(unless other: Int) throws(SimulatorError) -> Int {
        guard let position else { return other }
        return try positive(position)
    }

    private func positive(_ text: String) throws(SimulatorError) -> Int {
        guard let number = Int(text), number > 0, number <= 1 << 40 else {
            throw refusal("'\(text)' isn't a whole number above 0")
        }
        return number
    }

    private func share() throws(SimulatorError) -> Double {
        guard let value, let number = Double(value), number >= 0, number <= 1 else {
            throw refusal("\(name) needs a share from 0 to 1")
        }
        return number
    }

    private func closeCode() throws(SimulatorError) -> UInt16 {
        guard let value, let code = UInt16(value), (1000...4999).contains(code) else {
            throw refusal("\(name) needs a close code from 1000 to 4999")
        }
        return code
    }

    private func symbol() throws(SimulatorError) -> Symbol {
        guard let value, let symbol = Symbol(value) else { throw refusal("\(name) needs a ticker") }
        return symbol
    }
}
