/// A weight as fund companies write it: `6.37`, `6.37%`, `"1,234.5"`, `(0.01)`, and `6,37` where a comma is the
/// decimal point.
enum WeightText: Equatable {
    case none
    case value(Double)
    case malformed

    init(_ text: String, decimalComma: Bool = false) { self = Self.read(text, decimalComma) }

    private static func read(_ text: String, _ decimalComma: Bool) -> WeightText {
        var rest = text[...]
        if rest.last == "%" { rest.removeLast() }
        while rest.last == " " { rest.removeLast() }
        // `<0.01` means that the weight rounds to zero.
        if ["", "-", "--", "—", "n/a"].contains(rest.lowercased()) || rest.first == "<" { return .none }
        var sign = 1.0
        if rest.first == "(", rest.last == ")" {
            rest = rest.dropFirst().dropLast()
            sign = -1
        }
        if decimalComma, let comma = rest.lastIndex(of: ","), !rest[comma...].contains(".") {
            rest = Substring(
                rest[..<comma].replacing(".", with: ",") + "." + rest[rest.index(after: comma)...])
        }
        guard let plain = withoutThousands(rest), plain.utf8.allSatisfy("0123456789+-.eE".utf8.contains),
            let value = Double(plain), value.isFinite
        else { return .malformed }
        return .value(sign * value)
    }

    /// The number without its thousands separators; `nil` when one is misplaced.
    private static func withoutThousands(_ text: Substring) -> String? {
        let groups = text.prefix { $0 != "." }.split(separator: ",", omittingEmptySubsequences: false)
        guard groups.count > 1 else { return String(text) }
        guard groups.dropFirst().allSatisfy({ $0.count == 3 }), (1...3).contains(groups[0].drop { $0 == "-" }.count)
        else { return nil }
        return String(text.filter { $0 != "," })
    }
}
