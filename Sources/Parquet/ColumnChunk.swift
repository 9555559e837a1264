import Glibc

/// The values of one column since the last row group.
struct ColumnChunk {
    let column: ParquetColumn
    private(set) var rows = 0
    private var numbers: [Int64] = []
    /// The texts of the rows that have one, each with its length, as in PLAIN encoding; empty while there is a
    /// dictionary.
    private var texts: [UInt8] = []
    /// Where each text begins in ``texts``.
    private var places: [Int] = []
    /// 1 for each row with a value, 0 for each without; empty while every row has one.
    private var levels: [UInt8] = []
    /// The texts' indexes in the dictionary, while there is one.
    private var indexes: [UInt32] = []
    private var dictionary: TextDictionary?

    init(_ column: ParquetColumn) {
        self.column = column
        if column.kind == .text { dictionary = TextDictionary() }
    }

    mutating func append(_ number: Int64) {
        numbers.append(number)
        if !levels.isEmpty { levels.append(1) }
        rows += 1
    }

    /// - Returns: about how many more bytes are held.
    mutating func append(_ text: UnsafeRawBufferPointer) -> Int {
        if !levels.isEmpty { levels.append(1) }
        rows += 1
        let known = dictionary?.count
        if let index = dictionary?.index(of: text) {
            indexes.append(index)
            return MemoryLayout<UInt32>.size + (dictionary?.count == known ? 0 : text.count + TextDictionary.entryBytes)
        }
        spellOut()
        places.append(texts.count)
        texts.append(length: text.count)
        texts.append(contentsOf: text)
        return text.count + MemoryLayout<Int>.size + MemoryLayout<UInt32>.size
    }

    /// Gives up the dictionary, because the texts differ too much for one.
    private mutating func spellOut() {
        guard let known = dictionary else { return }
        for index in indexes {
            places.append(texts.count)
            texts += known.entry(index)
        }
        indexes.removeAll()
        dictionary = nil
    }

    mutating func appendNull() {
        if levels.isEmpty { levels = Array(repeating: 1, count: rows) }
        levels.append(0)
        rows += 1
    }

    /// Appends the chunk's pages to `bytes` and forgets the values.
    ///
    /// - Parameter start: where `bytes` begins in the file.
    /// - Returns: the chunk's description, and what its pages would take without compression.
    mutating func write(
        to bytes: inout [UInt8], start: Int64, compression: ParquetWriter.Compression
    ) -> (description: CompactStruct, plainBytes: Int) {
        // When most texts occur only once, a dictionary is longer than the texts.
        if let dictionary, dictionary.count * 2 > indexes.count { spellOut() }
        let first = start + Int64(bytes.count)
        var pages = PageWriter(compression: compression)
        var dictionaryPlace: Int64?
        if let dictionary {
            dictionaryPlace = first
            pages.addDictionary(dictionary.bytes, count: dictionary.count, to: &bytes)
        }
        let dataPlace = start + Int64(bytes.count)
        let values = column.kind != .text ? numbers.count : dictionary == nil ? places.count : indexes.count
        var value = 0
        for row in stride(from: 0, to: rows, by: Self.pageRows) {
            let end = min(row + Self.pageRows, rows)
            let present = levels.isEmpty ? end - row : levels[row..<end].reduce(0) { $0 + Int($1) }
            var page: [UInt8] = []
            addLevels(row..<end, present: present, to: &page)
            addValues(value..<value + present, to: &page)
            pages.add(page, rows: end - row, isIndexed: dictionary != nil, to: &bytes)
            value += present
        }
        var meta = CompactStruct()
        meta.add(1, column.type)
        meta.add(2, dictionary == nil ? [Int32(0), 3] : [0, 3, 8])
        meta.add(3, [column.name])
        meta.add(4, compression.codec)
        meta.add(5, Int64(rows))
        meta.add(6, Int64(pages.plainBytes))
        meta.add(7, start + Int64(bytes.count) - first)
        meta.add(9, dataPlace)
        if let dictionaryPlace { meta.add(11, dictionaryPlace) }
        meta.add(12, statistics(nulls: rows - values))
        var chunk = CompactStruct()
        chunk.add(2, first)
        chunk.add(3, meta)
        forget()
        return (chunk, pages.plainBytes)
    }

    private static let pageRows = 1 << 16

    private mutating func forget() {
        // A column whose texts differ too much has no use for a dictionary; the next group doesn't try again.
        if dictionary != nil { dictionary = TextDictionary() }
        // Many files may be under way at once, so one whose group ends early for lack of memory releases it all.
        let keepsRoom = rows == ParquetWriter.groupRows
        rows = 0
        numbers.removeAll(keepingCapacity: keepsRoom)
        texts.removeAll(keepingCapacity: keepsRoom)
        places.removeAll(keepingCapacity: keepsRoom)
        indexes.removeAll(keepingCapacity: keepsRoom)
        levels.removeAll(keepingCapacity: keepsRoom)
    }

    /// Appends definition levels, one bit each, after their length.
    private func addLevels(_ range: Range<Int>, present: Int, to page: inout [UInt8]) {
        var encoded: [UInt8] = []
        if present == range.count || present == 0 {
            encoded.append(varint: UInt64(range.count) << 1)
            encoded.append(present == 0 ? 0 : 1)
        } else {
            BitPacking.append(levels[range].lazy.map(UInt32.init), count: range.count, width: 1, to: &encoded)
        }
        page.append(numbers: [UInt32(encoded.count)])
        page += encoded
    }

    private func addValues(_ range: Range<Int>, to page: inout [UInt8]) {
        switch column.kind {
        case .flag:
            var byte: UInt8 = 0
            for (place, index) in range.enumerated() {
                if numbers[index] != 0 { byte |= 1 << UInt8(place & 7) }
                if place & 7 == 7 || index == range.upperBound - 1 {
                    page.append(byte)
                    byte = 0
                }
            }
        case .small: page.append(numbers: numbers[range].map { Int32(truncatingIfNeeded: $0) }[...])
        case .whole, .decimal, .timestamp: page.append(numbers: numbers[range])
        case .text:
            guard let dictionary else {
                let end = range.upperBound < places.count ? places[range.upperBound] : texts.count
                if !range.isEmpty { page += texts[places[range.lowerBound]..<end] }
                return
            }
            let width = max(1, UInt32.bitWidth - UInt32(max(1, dictionary.count) - 1).leadingZeroBitCount)
            page.append(UInt8(width))
            BitPacking.append(indexes[range], count: range.count, width: width, to: &page)
        }
    }

    private func statistics(nulls: Int) -> CompactStruct {
        var statistics = CompactStruct()
        statistics.add(3, Int64(nulls))
        if let bounds {
            statistics.add(5, bounds.greatest)
            statistics.add(6, bounds.least)
        }
        return statistics
    }

    private var bounds: (least: [UInt8], greatest: [UInt8])? {
        switch column.kind {
        case .flag: return nil
        case .text: return dictionary?.bounds
        case .small, .whole, .decimal, .timestamp:
            guard let least = numbers.min(), let greatest = numbers.max() else { return nil }
            let width = column.kind == .small ? 4 : 8
            func bytes(_ number: Int64) -> [UInt8] {
                withUnsafeBytes(of: number.littleEndian) { Array($0.prefix(width)) }
            }
            return (bytes(least), bytes(greatest))
        }
    }
}

/// The distinct texts of a column chunk, as long as there are few.
struct TextDictionary {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    /// Where each text is in ``bytes``.
    private var places: [Range<Int>] = []
    /// A hash table with open addressing: a text's index plus 1, or 0 for an empty slot.
    private var table = [UInt32](repeating: 0, count: 1 << 4)

    /// The bytes that a text takes besides its own: for its length, its place, and its share of the table.
    static let entryBytes = 32

    private static let mostTexts = 1 << 15

    /// Returns the text's index, and adds the text when it is new; `nil` once there are too many.
    mutating func index(of text: UnsafeRawBufferPointer) -> UInt32? {
        let mask = table.count - 1
        var slot = Self.hash(text) & mask
        while table[slot] != 0 {
            let index = Int(table[slot] - 1)
            let place = places[index]
            if place.count == text.count, isText(at: place, text) { return UInt32(index) }
            slot = (slot + 1) & mask
        }
        guard count < Self.mostTexts else { return nil }
        bytes.append(length: text.count)
        places.append(bytes.count..<bytes.count + text.count)
        bytes.append(contentsOf: text)
        count += 1
        table[slot] = UInt32(count)
        if count * 2 > table.count { grow() }
        return UInt32(count - 1)
    }

    /// Returns a text with its length, as in PLAIN encoding.
    func entry(_ index: UInt32) -> ArraySlice<UInt8> {
        let place = places[Int(index)]
        return bytes[place.lowerBound - 4..<place.upperBound]
    }

    /// The least and the greatest text, in byte order.
    var bounds: (least: [UInt8], greatest: [UInt8])? {
        let texts = places.map { bytes[$0] }
        guard let least = texts.min(by: { $0.lexicographicallyPrecedes($1) }),
            let greatest = texts.max(by: { $0.lexicographicallyPrecedes($1) })
        else { return nil }
        return (Array(least), Array(greatest))
    }

    private func isText(at place: Range<Int>, _ text: UnsafeRawBufferPointer) -> Bool {
        guard let other = text.baseAddress else { return true }
        return bytes.withUnsafeBytes { known in
            known.baseAddress.map { memcmp($0 + place.lowerBound, other, text.count) == 0 } ?? false
        }
    }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: table.count * 2)
        let mask = table.count - 1
        for (index, place) in places.enumerated() {
            var slot = bytes[place].withUnsafeBytes(Self.hash) & mask
            while table[slot] != 0 { slot = (slot + 1) & mask }
            table[slot] = UInt32(index + 1)
        }
    }

    /// FNV-1a, eight bytes at a time. The high bits are folded in, because the table uses the low ones.
    private static func hash(_ text: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var index = 0
        while index + 8 <= text.count {
            hash = (hash ^ text.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0x100_0000_01b3
            index += 8
        }
        while index < text.count {
            hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01b3
            index += 1
        }
        return Int(truncatingIfNeeded: (hash ^ (hash >> 29)) & 0x7FFF_FFFF)
    }
}

/// The bit-packed half of Parquet's run-length hybrid (parquet-format/Encodings.md).
enum BitPacking {
    /// Appends numbers of `width` bits in groups of eight, after the number of groups.
    static func append(_ numbers: some Sequence<UInt32>, count: Int, width: Int, to bytes: inout [UInt8]) {
        guard count > 0 else { return }
        let groups = (count + 7) / 8
        bytes.append(varint: UInt64(groups) << 1 | 1)
        var pending: UInt64 = 0
        var bits = 0
        var left = groups * width
        for number in numbers {
            pending |= UInt64(number) << UInt64(bits)
            bits += width
            while bits >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                bits -= 8
                left -= 1
            }
        }
        while left > 0 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending = 0
            left -= 1
        }
    }
}
