import Compression
import MarketData
import Parquet

/// Encodes rows as the bytes of a file, piece by piece.
protocol RowEncoder: SendableMetatype {
    init(_ stream: EventStream, format: ExportOptions.Format, isCompressed: Bool)
    mutating func append(_ row: some ExportRow)
    /// About how many bytes are held.
    var heldBytes: Int { get }
    /// How many bytes are ready for the disk.
    var readyBytes: Int { get }
    mutating func takeReady() -> [UInt8]
    /// All bytes of the rows so far that were not taken yet.
    mutating func takeBytes() -> [UInt8]
    /// The bytes that end the file.
    mutating func finish() -> [UInt8]
    /// How many numbers have more digits than the format keeps, and were rounded.
    var rounded: Int { get }
    /// How many numbers are too large for the format, and were left out.
    var tooLarge: Int { get }
}

/// CSV with a header line (RFC 4180, but lines end with LF), or one JSON object per line. Each piece may be a gzip
/// member.
struct TextEncoder: RowEncoder {
    private let columns: [Column]
    private let adjustment: AdjustmentColumn?
    private let isJSON: Bool
    private let isCompressed: Bool
    private var bytes: [UInt8] = []
    let rounded = 0
    let tooLarge = 0

    init(_ stream: EventStream, format: ExportOptions.Format, isCompressed: Bool) {
        columns = stream.columns
        isJSON = format == .json
        self.isCompressed = isCompressed
        adjustment = AdjustmentColumn(stream)
        if !isJSON {
            let titles = columns.map(\.name) + (adjustment == nil ? [] : [AdjustmentColumn.name])
            bytes += (titles.joined(separator: ",") + "\n").utf8
        }
    }

    var heldBytes: Int { bytes.count }
    var readyBytes: Int { bytes.count }

    mutating func append(_ row: some ExportRow) {
        for (index, column) in columns.enumerated() {
            if isJSON {
                bytes.append(UInt8(ascii: index == 0 ? "{" : ","))
                JSONString.append(column.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
            } else if index > 0 {
                bytes.append(UInt8(ascii: ","))
            }
            let before = bytes.count
            append(column, index, of: row)
            if isJSON, bytes.count == before { bytes += "null".utf8 }
        }
        if let adjustment {
            let word = adjustment.value(of: row)?.rawValue
            let text =
                isJSON ? ",\"\(AdjustmentColumn.name)\":\(word.map { "\"\($0)\"" } ?? "null")" : "," + (word ?? "")
            bytes += text.utf8
        }
        bytes += isJSON ? "}\n".utf8 : "\n".utf8
    }

    private mutating func append(_ column: Column, _ index: Int, of row: some ExportRow) {
        if column.content.isReal {
            if let value = row.number(index), value.isFinite { DecimalText.append(value, to: &bytes) }
        } else if column.content.isText {
            let isJSON = isJSON
            _ = row.withText(index) { text in
                if isJSON { JSONString.append(String(decoding: text, as: UTF8.self), to: &bytes) } else { quote(text) }
            }
        } else if let value = row.integer(index) {
            DecimalText.append(value, to: &bytes)
        }
    }

    /// An empty text is in quotes, so that it differs from a missing one.
    private mutating func quote(_ text: UnsafeRawBufferPointer) {
        let isPlain =
            !text.isEmpty
            && text.allSatisfy { byte in
                byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\"") && byte >= 0x20
            }
        guard !isPlain else {
            bytes.append(contentsOf: text)
            return
        }
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func takeReady() -> [UInt8] { takeBytes() }

    mutating func takeBytes() -> [UInt8] {
        defer { bytes.removeAll() }
        return isCompressed && !bytes.isEmpty ? Deflate.gzip.packed(bytes, level: 1) : bytes
    }

    mutating func finish() -> [UInt8] { takeBytes() }
}

/// Parquet: prices and numbers of shares as decimals, times as timestamps in UTC.
struct ParquetEncoder: RowEncoder {
    private let columns: [Column.Content]
    private let adjustment: AdjustmentColumn?
    private var writer: ParquetWriter
    private var decimals = FixedDecimal()
    private(set) var tooLarge = 0

    init(_ stream: EventStream, format: ExportOptions.Format, isCompressed: Bool) {
        columns = stream.columns.map(\.content)
        adjustment = AdjustmentColumn(stream)
        let added = adjustment == nil ? [] : [ParquetColumn(AdjustmentColumn.name, .text)]
        writer = ParquetWriter(
            stream.columns.map { ParquetColumn($0.name, $0.content.parquet) } + added,
            compression: isCompressed ? .gzip : .none, createdBy: "edgetick")
    }

    var rounded: Int { decimals.rounded }
    var heldBytes: Int { writer.heldBytes }
    var readyBytes: Int { writer.readyBytes }

    mutating func append(_ row: some ExportRow) {
        for index in columns.indices {
            switch columns[index] {
            case .price: append(row.number(index), scale: FixedDecimal.priceScale, at: index)
            case .quantity: append(row.number(index), scale: FixedDecimal.quantityScale, at: index)
            case .symbol, .text, .list, .name, .source:
                let isThere = row.withText(index) { writer.append($0, at: index) }
                if !isThere { writer.appendNull(at: index) }
            case .sequence, .interval, .milliseconds, .microseconds, .nanoseconds, .whole, .small, .flag:
                if let value = row.integer(index) {
                    writer.append(value, at: index)
                } else {
                    writer.appendNull(at: index)
                }
            }
        }
        if let adjustment {
            if var word = adjustment.value(of: row)?.rawValue {
                word.withUTF8 { writer.append(UnsafeRawBufferPointer($0), at: columns.count) }
            } else {
                writer.appendNull(at: columns.count)
            }
        }
        writer.endRow()
    }

    private mutating func append(_ value: Double?, scale: Int, at index: Int) {
        guard let value, value.isFinite else { return writer.appendNull(at: index) }
        guard let units = decimals.units(of: value, scale: scale) else {
            tooLarge += 1
            return writer.appendNull(at: index)
        }
        writer.append(units, at: index)
    }

    mutating func takeReady() -> [UInt8] { writer.takeBytes() }

    mutating func takeBytes() -> [UInt8] {
        writer.endGroup()
        return writer.takeBytes()
    }

    mutating func finish() -> [UInt8] {
        writer.finish()
        return writer.takeBytes()
    }
}

extension Column.Content {
    /// The kind of column that a Parquet file has for it.
    fileprivate var parquet: ParquetColumn.Kind {
        switch self {
        case .sequence, .whole: .whole
        case .interval, .small: .small
        case .milliseconds: .timestamp(.milliseconds)
        case .microseconds: .timestamp(.microseconds)
        case .nanoseconds: .timestamp(.nanoseconds)
        case .price: .decimal(scale: FixedDecimal.priceScale)
        case .quantity: .decimal(scale: FixedDecimal.quantityScale)
        case .flag: .flag
        case .symbol, .text, .list, .name, .source: .text
        }
    }
}
