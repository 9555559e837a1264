/// Reads the Prometheus text format, version 0.0.4, strictly enough to find what a scraper would refuse.
struct Exposition {
    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private(set) var types: [String: String] = [:]
    private(set) var helps: [String: String] = [:]
    private(set) var samples: [Sample] = []
    private(set) var faults: [String] = []

    init(_ text: String) {
        if !text.hasSuffix("\n") { faults.append("does not end with a line feed") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if line.hasPrefix("# HELP ") || line.hasPrefix("# TYPE ") {
                let words = line.dropFirst(7).split(separator: " ", maxSplits: 1).map(String.init)
                guard words.count == 2 else {
                    faults.append(String(line))
                    continue
                }
                if line.hasPrefix("# HELP ") {
                    if helps.updateValue(words[1], forKey: words[0]) != nil { faults.append("two HELP of \(words[0])") }
                } else {
                    if types.updateValue(words[1], forKey: words[0]) != nil { faults.append("two TYPE of \(words[0])") }
                    if samples.contains(where: { base($0.name) == words[0] }) {
                        faults.append("late TYPE of \(words[0])")
                    }
                }
            } else if !line.hasPrefix("#") {
                guard let sample = Self.sample(line) else {
                    faults.append(String(line))
                    continue
                }
                if samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) {
                    faults.append("twice: \(line)")
                }
                samples.append(sample)
            }
        }
    }

    /// The metric that a sample belongs to.
    func base(_ name: String) -> String {
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            let metric = String(name.dropLast(suffix.count))
            if types[metric] == "histogram" { return metric }
        }
        return name
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }?.value
    }

    private static func sample(_ line: Substring) -> Sample? {
        var rest = line
        let name = String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" })
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { return nil }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: return nil
                    }
                }
                guard labels.updateValue(value, forKey: label) == nil else { return nil }
                if rest.first == "," { rest = rest.dropFirst() }
                if rest.isEmpty { return nil }
            }
            rest = rest.dropFirst()
        }
        guard !name.isEmpty, rest.first == " " else { return nil }
        let text = rest.dropFirst()
        guard let value = text == "+Inf" ? .infinity : Double(text) else { return nil }
        return Sample(name: name, labels: labels, value: value)
    }
}
