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
        self = try FaultText(whole: text, name: name, value: value, position: position).fault()
    }
}

/// A fault's text, taken apart.
struct FaultText {
    let whole: String
    let name: String
    let value: String?
    let position: String?

    func fault() throws(SimulatorError) -> Fault {
        let syntax = Fault.syntax.first { form in form.prefix { $0.isLetter || $0 == "-" } == name }
        guard position == nil || syntax?.contains("@") == true else { throw refusal("\(name) takes no '@FRAME'") }
        guard value == nil || syntax?.contains("=") != false else { throw refusal("\(name) takes no value") }
        switch name {
        case "drop-every": return .dropEvery(frames: try count())
        case "reset-every": return .resetEvery(frames: try count())
        case "stall-after": return .stallAfter(frames: try count())
        case "bad-login": return .badLogin(times: try optionalCount())
        case "auth-timeout": return .authTimeout(times: try optionalCount())
        case "connection-limit": return .connectionLimit(try count())
        case "malformed-every": return .malformedEvery(frames: try count())
        case "duplicate-every": return .duplicateEvery(frames: try count())
        case "late-corrections":
            return .lateCorrections(
                share: try needed("a share from 0 to 1") { Double($0).flatMap { 0...1 ~= $0 ? $0 : nil } })
        case "close-code":
            let code = try needed("a close code from 1000 to 4999") {
                UInt16($0).flatMap { 1000...4999 ~= $0 ? $0 : nil }
            }
            return .closeCode(code, afterFrames: try frame())
        case "slow-consumer": return .slowConsumer(queued: try count(), frame: try frame())
        case "fragment": return .fragment(bytes: try count())
        case "refuse-symbol": return .refuseSymbol(try needed("a ticker") { Symbol($0) })
        case "oversize": return .oversize(bytes: try optionalCount() ?? 17 << 20, frame: try frame())
        case "no-pongs": return .noPongs
        case "compressed-looking": return .compressedLooking(frame: try frame())
        default: throw refusal("there is no fault '\(name)'")
        }
    }

    private func refusal(_ why: String) -> SimulatorError {
        SimulatorError(
            reason: .configuration, operation: "reading the fault '\(whole)'", underlying: why,
            advice: "use one of: \(Fault.syntax.joined(separator: ", "))")
    }

    /// Returns what `read` makes of the value; `nil` and no value are refused.
    private func needed<Value>(_ what: String, _ read: (String) -> Value?) throws(SimulatorError) -> Value {
        guard let result = value.flatMap(read) else { throw refusal("\(name) needs \(what)") }
        return result
    }

    private func count() throws(SimulatorError) -> Int { try positive(needed("a whole number") { $0 }) }

    private func optionalCount() throws(SimulatorError) -> Int? {
        guard let value else { return nil }
        return try positive(value)
    }

    private func frame() throws(SimulatorError) -> Int { try positive(position ?? "1") }

    private func positive(_ text: String) throws(SimulatorError) -> Int {
        guard let number = Int(text), number > 0, number <= 1 << 40 else {
            throw refusal("'\(text)' isn't a whole number above 0")
        }
        return number
    }
}
