import MarketData

/// Writes the Prometheus text format, version 0.0.4.
struct MetricsText: ~Copyable {
    /// The type of a metric.
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private(set) var bytes: [UInt8] = []
    private var name = ""

    /// Begins a metric; its samples follow.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        bytes.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    mutating func sample(_ value: Double, _ labels: KeyValuePairs<String, String> = [:], suffix: String = "") {
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: suffix.utf8)
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, (label, text)) in labels.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(contentsOf: "\(label)=\"".utf8)
                for byte in text.utf8 {
                    switch byte {
                    case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                        bytes.append(UInt8(ascii: "\\"))
                        bytes.append(byte)
                    case 0x0A: bytes.append(contentsOf: "\\n".utf8)
                    default: bytes.append(byte)
                    }
                }
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        if value.isFinite {
            DecimalText.append(value, to: &bytes)
        } else {
            bytes.append(contentsOf: (value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8)
        }
        bytes.append(0x0A)
    }

    mutating func sample(_ value: Int64, _ labels: KeyValuePairs<String, String> = [:]) {
        sample(Double(value), labels)
    }

    mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ value: Double?) {
        guard let value else { return }
        metric(name, kind, help)
        sample(value)
    }

    /// A metric with one sample of a count.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ value: Int64) {
        metric(name, kind, help, Double(value))
    }
}
