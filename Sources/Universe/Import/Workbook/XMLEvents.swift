import MarketData

/// Reads an XML document as a sequence of events and keeps none of it; knows as much of XML as a workbook's parts use.
///
/// Implemented here because Foundation's reader needs libxml2 on the machine and keeps a tree many times as large as
/// the document. A document type is refused, because entities that refer to each other can make a small document a
/// large one.
struct XMLEvents {
    enum Event: Equatable {
        /// The start of an element, without its prefix.
        case start(String)
        /// The end of an element, without its prefix.
        case end(String)
        case text(String)
    }

    /// No part of a workbook nests deeper.
    private static let maximumDepth = 64
    /// No element of a workbook has more attributes.
    private static let maximumAttributes = 256

    private static let invalid = WorkbookError("a part of it is not valid XML")

    private let bytes: [UInt8]
    private var place: Int
    private var open: [ArraySlice<UInt8>] = []
    /// Set when an element has no content, so that its end follows at once.
    private var isEmptyElement = false
    /// The attributes of the element that started last, without their prefixes.
    private(set) var attributes: [String: String] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        place = ByteOrderMark.dropped(from: bytes).startIndex
    }

    /// Returns the next event; `nil` at the end of the document.
    mutating func next() throws(WorkbookError) -> Event? {
        if isEmptyElement {
            isEmptyElement = false
            return .end(Self.local(open.removeLast()))
        }
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "<") else {
                let end = bytes[place...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
                defer { place = end }
                return .text(try Self.text(bytes[place..<end]))
            }
            if starts(with: "<?") {
                try skip(past: "?>")
            } else if starts(with: "<!--") {
                try skip(past: "-->")
            } else if starts(with: "<![CDATA[") {
                let start = place + 9
                try skip(past: "]]>")
                return .text(String(decoding: bytes[start..<place - 3], as: UTF8.self))
            } else if starts(with: "<!") {
                throw WorkbookError("it declares a document type, which no workbook does")
            } else if starts(with: "</") {
                return try endElement()
            } else {
                return try startElement()
            }
        }
        guard open.isEmpty else { throw WorkbookError("a part of it is cut short") }
        return nil
    }

    private mutating func endElement() throws(WorkbookError) -> Event {
        place += 2
        let name = takeName()
        skipBlanks()
        guard starts(with: ">"), open.popLast() == name else { throw Self.invalid }
        place += 1
        return .end(Self.local(name))
    }

    private mutating func startElement() throws(WorkbookError) -> Event {
        place += 1
        let name = takeName()
        guard !name.isEmpty, open.count < Self.maximumDepth else { throw Self.invalid }
        open.append(name)
        attributes = [:]
        while true {
            skipBlanks()
            if starts(with: "/>") {
                place += 2
                isEmptyElement = true
                break
            }
            if starts(with: ">") {
                place += 1
                break
            }
            let key = takeName()
            skipBlanks()
            guard !key.isEmpty, starts(with: "="), attributes.count < Self.maximumAttributes else { throw Self.invalid }
            place += 1
            skipBlanks()
            guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") || bytes[place] == UInt8(ascii: "'"),
                let end = bytes[(place + 1)...].firstIndex(of: bytes[place])
            else { throw Self.invalid }
            attributes[Self.local(key)] = try Self.text(bytes[(place + 1)..<end])
            place = end + 1
        }
        return .start(Self.local(name))
    }

    private mutating func takeName() -> ArraySlice<UInt8> {
        let start = place
        while place < bytes.count, !" \t\r\n=/><\"'".utf8.contains(bytes[place]) { place += 1 }
        return bytes[start..<place]
    }

    private mutating func skipBlanks() {
        while place < bytes.count, " \t\r\n".utf8.contains(bytes[place]) { place += 1 }
    }

    private func starts(with text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard place + count <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[place..<place + count]) }
    }

    private mutating func skip(past mark: StaticString) throws(WorkbookError) {
        while place < bytes.count, !starts(with: mark) { place += 1 }
        guard place < bytes.count else { throw WorkbookError("a part of it is cut short") }
        place += mark.utf8CodeUnitCount
    }

    private static func local(_ name: ArraySlice<UInt8>) -> String {
        let colon = name.firstIndex(of: UInt8(ascii: ":"))
        return String(decoding: colon.map { name[($0 + 1)...] } ?? name, as: UTF8.self)
    }

    private static let entities = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'"]

    /// Text with its entity references replaced.
    private static func text(_ bytes: ArraySlice<UInt8>) throws(WorkbookError) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var result = ""
        var rest = bytes
        while let reference = rest.firstIndex(of: UInt8(ascii: "&")) {
            result += String(decoding: rest[..<reference], as: UTF8.self)
            guard let end = rest[reference...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw invalid }
            let name = String(decoding: rest[(reference + 1)..<end], as: UTF8.self)
            if let text = entities[name] {
                result += text
            } else if name.hasPrefix("#"), let scalar = scalar(name.dropFirst()) {
                result.unicodeScalars.append(scalar)
            } else {
                throw WorkbookError("it names an entity that is not known")
            }
            rest = rest[(end + 1)...]
        }
        return result + String(decoding: rest, as: UTF8.self)
    }

    private static func scalar(_ text: Substring) -> Unicode.Scalar? {
        let value = text.hasPrefix("x") ? UInt32(text.dropFirst(), radix: 16) : UInt32(text)
        return value.flatMap(Unicode.Scalar.init)
    }
}
