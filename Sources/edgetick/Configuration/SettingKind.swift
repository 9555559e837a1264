import Collector
import MarketData
import Store
import Universe
import Upstream

/// The kind of a setting's value: how text becomes a value, and what is allowed, in words.
struct SettingKind<Value: Sendable>: Sendable {
    let allowed: String
    let display: SettingDisplay
    let read: @Sendable (String, HostFacts) throws(SettingRefusal) -> Value

    /// A kind that words its own refusals.
    init(
        _ allowed: String, display: SettingDisplay = .plain,
        reading read: @escaping @Sendable (String, HostFacts) throws(SettingRefusal) -> Value
    ) {
        self.allowed = allowed
        self.display = display
        self.read = read
    }

    /// A kind whose refusals say what is allowed; `value` returns `nil` for an invalid text.
    init(_ allowed: String, display: SettingDisplay = .plain, _ value: @escaping @Sendable (String) -> Value?) {
        self.init(allowed, display: display) { text, _ throws(SettingRefusal) in
            guard let value = value(text) else { throw SettingRefusal("allowed: \(allowed)") }
            return value
        }
    }
}

extension SettingKind<Bool> {
    static var flag: SettingKind { SettingKind("true or false") { isTrue($0) } }

    /// The value of a text; `nil` if it is neither true nor false.
    static func isTrue(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }
}

extension SettingKind<Int> {
    static func number(_ range: ClosedRange<Int>) -> SettingKind {
        SettingKind("a whole number from \(range.lowerBound) to \(range.upperBound)") { plainNumber($0, range) }
    }

    /// A time of day, as its minute.
    static var timeOfDay: SettingKind {
        SettingKind("a time of day, such as 21:00") { text in
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[1].utf8.count == 2, let hour = plainNumber(parts[0], 0...23),
                let minute = plainNumber(parts[1], 0...59)
            else { return nil }
            return hour * 60 + minute
        }
    }
}

extension SettingKind<Int?> {
    /// A limit; 0 sets none.
    static func limit(_ most: Int) -> SettingKind {
        SettingKind("a whole number from 0 to \(most); 0 = no limit") { text in
            plainNumber(text, 0...most).map { $0 == 0 ? nil : $0 }
        }
    }
}

/// A number written in digits alone: no sign, no fraction.
private func plainNumber(_ text: some StringProtocol, _ range: ClosedRange<Int>) -> Int? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text) else { return nil }
    return range.contains(value) ? value : nil
}

extension SettingKind<Duration> {
    /// A duration; a bare number counts in `unit`.
    static func duration(per unit: Duration = .seconds(1), _ range: ClosedRange<Duration>) -> SettingKind {
        SettingKind(durationText(unit, range)) { text in
            Quantity.duration(text, unit: unit).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension SettingKind<Duration?> {
    /// A duration, or 0 with a special meaning.
    static func duration(_ range: ClosedRange<Duration>, zero: String) -> SettingKind {
        let unit = Duration.seconds(1)
        return SettingKind("\(durationText(unit, range)); 0 = \(zero)") { text in
            guard let value = Quantity.duration(text, unit: unit), value == .zero || range.contains(value) else {
                return nil
            }
            return .some(value == .zero ? nil : value)
        }
    }
}

extension SettingKind<CommitInterval> {
    /// A duration in milliseconds, or `auto`.
    static func commitInterval(_ range: ClosedRange<Duration>) -> SettingKind {
        SettingKind("auto, or \(durationText(.milliseconds(1), range))") { text in
            if text.lowercased() == "auto" { return .automatic }
            return Quantity.duration(text, unit: .milliseconds(1)).flatMap { range.contains($0) ? .fixed($0) : nil }
        }
    }
}

private func durationText(_ unit: Duration, _ range: ClosedRange<Duration>) -> String {
    let names: [Duration: String] = [
        .milliseconds(1): "milliseconds", .seconds(3600): "hours", .seconds(86_400): "days",
    ]
    let unit = names[unit] ?? "seconds"
    return
        "a duration from \(Quantity.text(range.lowerBound)) to \(Quantity.text(range.upperBound)), as a number of "
        + "\(unit) or with a unit such as 500ms, 5s, 2m, 1h"
}

extension SettingKind<Int64> {
    static func size(_ range: ClosedRange<Int64>, shown: String) -> SettingKind {
        SettingKind("a size \(shown), in bytes or with a unit such as 500MB or 8GiB") { text in
            Quantity.bytes(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension SettingKind where Value: CaseIterable & RawRepresentable<String> {
    /// One of the type's names, in any case; a hyphen may be an underscore or a blank.
    static var choice: SettingKind {
        let names = Value.allCases.map(\.rawValue)
        @Sendable func plain(_ text: String) -> String {
            let text = String(text.lowercased().map { $0 == "_" || $0 == " " ? "-" : $0 })
            return names.contains(text) ? text : otherNames[text] ?? text
        }
        return SettingKind(names.joined(separator: ", ")) { text, _ throws(SettingRefusal) in
            let wanted = plain(text)
            if let found = Value.allCases.first(where: { plain($0.rawValue) == wanted }) { return found }
            let nearest = NearestNames.nearest(to: wanted, among: names, limit: 1).first.map { "; nearest: \($0)" }
            throw SettingRefusal("allowed: \(names.joined(separator: ", "))\(nearest ?? "")")
        }
    }
}

/// Other programs' names for some of the choices.
private let otherNames = ["warn": "warning", "fatal": "critical"]

extension SettingKind<Secret> {
    /// A key or token.
    ///
    /// - Parameter least: The fewest characters it must have.
    static func secret(least: Int = 1) -> SettingKind {
        let allowed = (least > 1 ? "at least \(least) " : "") + "printable ASCII characters without spaces"
        let refusal =
            least > 1
            ? "allowed: \(allowed); `openssl rand -hex 24` makes one"
            : "has spaces or non-ASCII characters in it: copy it again"
        return SettingKind(allowed, display: .secret) { text, _ throws(SettingRefusal) in
            guard text.utf8.count >= least, isPrintable(text) else { throw SettingRefusal(refusal) }
            return Secret(text)
        }
    }

    static var databaseURI: SettingKind {
        let example = "a URI such as postgresql://user:password@host:5432/database"
        return SettingKind(example, display: .databaseURI) { text, _ throws(SettingRefusal) in
            // libpq judges the form: see ``Settings/upstream(_:statementTimeout:answeringWithin:)``.
            guard isPrintable(text) || !text.contains("://") else {
                throw SettingRefusal(
                    "has spaces or non-ASCII characters in it: write them percent-encoded, a space as %20")
            }
            return Secret(text)
        }
    }
}

private func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }

extension SettingKind<[Secret]> {
    /// Keys separated by commas.
    ///
    /// - Parameter least: The fewest characters that each must have.
    static func secrets(least: Int) -> SettingKind {
        let one = SettingKind<Secret>.secret(least: least)
        return SettingKind("keys separated by commas, each of \(one.allowed)", display: .secrets) {
            text, host throws(SettingRefusal) in
            var keys: [Secret] = []
            for item in items(text) { keys.append(try one.read(String(item), host)) }
            return keys
        }
    }
}

extension SettingKind<String> {
    static var text: SettingKind { SettingKind("any text") { $0 } }

    /// A URL with one of two schemes; whether the plain one is allowed depends on the host and on other settings.
    static func url(_ secure: String, orPlain plain: String) -> SettingKind {
        SettingKind("a URL such as \(secure)://host:port/path, without a user name") { text in
            ServerAddress(text).flatMap { [secure, plain].contains($0.scheme) ? text : nil }
        }
    }

    /// A path, made absolute.
    static var path: SettingKind {
        SettingKind("a path", display: .path) { text, host throws(SettingRefusal) in
            if text.hasPrefix("~"), host.homeDirectory == nil || !(text == "~" || text.hasPrefix("~/")) {
                throw SettingRefusal("the home directory that ~ stands for is not known: write the whole path")
            }
            return host.absolutePath(text)
        }
    }

    /// A name that may be part of log lines, rows and metric labels.
    static var name: SettingKind {
        SettingKind("up to \(CollectorName.maximumLength) letters, digits, dots, hyphens, underscores") {
            CollectorName.isName($0) ? $0 : nil
        }
    }

    /// A connection's name, which may contain spaces.
    static var connectionName: SettingKind {
        SettingKind(
            "up to \(CollectorName.maximumLength) letters, digits, blanks, dots, hyphens, underscores; not backfill or reconcile"
        ) { CollectorName.isConnectionName($0) ? $0 : nil }
    }

    /// An address or host name, without the brackets of an IPv6 address.
    static var host: SettingKind {
        SettingKind("an address or a host name, such as 127.0.0.1, 0.0.0.0 or ::1") { text in
            let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
            return HostName.isPossible(bare) ? bare : nil
        }
    }

    /// A list of symbols, kept as it is written.
    static var symbols: SettingKind {
        SettingKind("symbols separated by commas, or * for every symbol") { text in
            SymbolList(text).refused.isEmpty ? text : nil
        }
    }
}

extension SettingKind<[String]> {
    static var hosts: SettingKind {
        SettingKind("host names separated by commas, such as dashboard.example.com") { text in
            let names = items(text).map { String($0) }
            return names.allSatisfy { HostName.isPossible($0) } ? names : nil
        }
    }
}

extension SettingKind<BarColumns> {
    static var barColumns: SettingKind {
        SettingKind(
            "pairs of EdgeTick's name and the table's, such as timestamp:time,volume:vol; EdgeTick's are "
                + BarColumns.names.joined(separator: ", ")
        ) { BarColumns($0) }
    }
}

extension SettingKind<Settings.Shard> {
    static var shard: SettingKind {
        SettingKind("auto, or a share such as 2/5 for the second of five") { text in
            if text.lowercased() == "auto" { return .auto }
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let count = plainNumber(parts[1], 1...1000),
                let number = plainNumber(parts[0], 1...count)
            else { return nil }
            return .fixed(number, of: count)
        }
    }
}

extension SettingKind<Set<EventKind>> {
    static var events: SettingKind {
        let names = EventKind.allCases.map(\.rawValue).joined(separator: ", ")
        return SettingKind("any of \(names), separated by commas") { text in
            let items = items(text)
            let kinds = items.compactMap { EventKind(rawValue: $0.uppercased()) }
            return kinds.isEmpty || kinds.count < items.count ? nil : Set(kinds)
        }
    }
}

/// The items of a comma-separated list, without surrounding blanks and without empty items.
private func items(_ text: String) -> [Substring] {
    text.split(separator: ",").map { $0.trimmingBlanks() }.filter { !$0.isEmpty }
}
