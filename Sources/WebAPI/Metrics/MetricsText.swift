import MarketData

/// Writes the Prometheus text format, version 0.0.4.
struct MetricsText: ~Copyable {
    private(set) var bytes: [UInt8] = []
    private var name = ""

    /// Begins a metric; its samples follow. The names of counters, and of nothing else, end with `_total`.
    mutating func metric(_ name: String, _ help: String, isHistogram: Bool = false) {
        self.name = name
        let kind = isHistogram ? "histogram" : name.hasSuffix("_total") ? "counter" : "gauge"
        bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n".utf8
    }

    mutating func sample(_ value: Double, _ labels: KeyValuePairs<String, String> = [:], suffix: String = "") {
        bytes += "\(name)\(suffix)".utf8
        for (index, (label, text)) in labels.enumerated() {
            bytes += "\(index == 0 ? "{" : ",")\(label)=\"".utf8
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), byte]
                case UInt8(ascii: "\n"): bytes += "\\n".utf8
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes += (labels.isEmpty ? " " : "} ").utf8
        if value.isFinite {
            DecimalText.append(value, to: &bytes)
        } else {
            bytes += (value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func sample(_ value: some BinaryInteger, _ labels: KeyValuePairs<String, String> = [:]) {
        sample(Double(value), labels)
    }

    /// A metric with one sample, if there is a value.
    mutating func metric(_ name: String, _ help: String, _ value: Double?) {
        guard let value else { return }
        metric(name, help)
        sample(value)
    }

    /// A metric with one sample of a count.
    mutating func metric(_ name: String, _ help: String, _ value: some BinaryInteger) {
        metric(name, help, Double(value))
    }
}
