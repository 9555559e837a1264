/// Reads the rows of trees page by page, skips what is damaged and remembers which rows that affects.
///
/// A link to a page that was seen before is damage, unless that was a leaf that seemed out of place. Other pages are read
/// once, so the walk ends.
struct TreeWalk {
    /// A row of a table, or of a WITHOUT ROWID table, which has no number.
    struct Row {
        var rowid: Int64
        var values: [RecordValue]
    }

    private static let deepest = 24

    let image: DatabaseImage
    /// Whether a tree led to a page, by the page's number.
    private(set) var reached: [Bool]
    /// The ranges of row numbers in the current tree that can't be reached.
    private(set) var damaged: [ClosedRange<Int64>] = []
    /// The number of pages, cells or links that could not be followed since ``begin()``.
    private(set) var faults = 0

    init(_ image: DatabaseImage) {
        self.image = image
        reached = [Bool](repeating: false, count: Int(image.pageCount) + 1)
    }

    /// Forgets the damage of the previous tree.
    mutating func begin() {
        damaged = []
        faults = 0
    }

    /// Marks a free page, so that it is not taken for one that a tree no longer leads to.
    mutating func mark(_ number: UInt32) { if number > 0, Int(number) < reached.count { reached[Int(number)] = true } }

    private mutating func open(_ number: UInt32, _ kinds: TreePage.Kind..., depth: Int) -> TreePage? {
        guard depth < Self.deepest, number > 0, Int(number) < reached.count, !reached[Int(number)],
            let bytes = image.page(number),
            let page = TreePage(bytes, number: number, usableBytes: image.usableBytes), kinds.contains(page.kind)
        else {
            faults += 1
            return nil
        }
        reached[Int(number)] = true
        if page.isDamaged { faults += 1 }
        return page
    }

    /// Passes the rows of a table's tree, which begins at a page, to `body` in the order of their numbers. `body` returns
    /// whether a row belongs to the table.
    mutating func table(
        _ number: UInt32, after low: Int64 = .min, through high: Int64 = .max, depth: Int = 0,
        _ body: (Row) throws(StoreError) -> Bool
    ) throws(StoreError) {
        guard let page = open(number, .innerTable, .leafTable, depth: depth) else { return lose(low, high) }
        guard page.kind == .innerTable else { return try leaf(page, number, after: low, through: high, body) }
        if page.isDamaged { lose(low, high) }
        var from = low
        for cell in page.cells {
            let found = TreePage.varint(page.bytes, at: cell + 4)?.value
            guard let key = found, key > from, key <= high else {
                // This key is wrong, or an earlier one, or one above this page: any number may be out of reach.
                faults += 1
                lose(.min, max(high, found ?? high))
                continue
            }
            try table(page.bytes.bigEndian32(at: cell), after: from, through: key, depth: depth + 1, body)
            from = key
        }
        if let last = page.last { try table(last, after: from, through: high, depth: depth + 1, body) }
    }

    private mutating func leaf(
        _ page: TreePage, _ number: UInt32, after low: Int64, through high: Int64,
        _ body: (Row) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let rows = self.rows(of: page)
        let expected = rows.filter { $0.rowid > low && $0.rowid <= high }
        // Only a table without rows has an empty leaf, and that is its root.
        let isStray = page.cells.isEmpty && (low > .min || high < .max)
        if expected.count < page.cells.count || page.isDamaged || isStray {
            faults += 1
            lose(low, high)
        }
        var isMisplaced = expected.isEmpty
        for row in expected {
            if try !body(row) { isMisplaced = true }
        }
        // Rows that follow one another are right even outside the range: then a key or a link above the page is wrong.
        for (row, next) in zip(rows, rows.dropFirst()) {
            guard row.rowid < next.rowid, row.rowid == next.rowid - 1, row.rowid <= low || next.rowid > high else {
                continue
            }
            damaged.append(row.rowid...next.rowid)
            isMisplaced = true
        }
        // The right link may still come; otherwise the page is one that no tree leads to.
        if isMisplaced { reached[Int(number)] = false }
    }

    /// Returns the rows of a leaf in the order of their numbers, without those that contradict their neighbours.
    mutating func rows(of page: TreePage) -> [Row] {
        var rows: [Row] = []
        var places: [Int64] = []
        for (place, cell) in page.cells.enumerated() {
            guard let (size, afterSize) = TreePage.varint(page.bytes, at: cell),
                let (rowid, start) = TreePage.varint(page.bytes, at: afterSize),
                let payload = payload(page, size, at: start, isIndex: false), let values = RecordReading.values(payload)
            else { continue }
            rows.append(Row(rowid: rowid, values: values))
            places.append(rowid &- Int64(place))
        }
        guard zip(rows, rows.dropFirst()).contains(where: { $0.rowid >= $1.rowid }) else { return rows }
        // Numbers increase by one from cell to cell: of two that contradict each other, the one in the run is right.
        var counts: [Int64: Int] = [:]
        for place in places { counts[place, default: 0] += 1 }
        let run = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        return zip(rows, places).filter { $0.1 == run }.map(\.0)
    }

    /// Passes the records of a WITHOUT ROWID table's tree, which begins at a page, to `body`.
    mutating func index(_ number: UInt32, depth: Int = 0, _ body: (Row) throws(StoreError) -> Void) throws(StoreError) {
        guard let page = open(number, .innerIndex, .leafIndex, depth: depth) else { return }
        let isInner = page.kind == .innerIndex
        for cell in page.cells {
            if isInner { try index(page.bytes.bigEndian32(at: cell), depth: depth + 1, body) }
            guard let (size, start) = TreePage.varint(page.bytes, at: cell + (isInner ? 4 : 0)),
                let payload = payload(page, size, at: start, isIndex: true), let values = RecordReading.values(payload)
            else {
                faults += 1
                continue
            }
            try body(Row(rowid: 0, values: values))
        }
        if let last = page.last { try index(last, depth: depth + 1, body) }
    }

    /// Returns a cell's payload, including the overflow pages that continue it.
    private mutating func payload(_ page: TreePage, _ size: Int64, at start: Int, isIndex: Bool) -> [UInt8]? {
        guard size > 0, size <= Int64(RecordReading.mostBytes) else { return nil }
        let usable = image.usableBytes
        let total = Int(size)
        let most = isIndex ? (usable - 12) * 64 / 255 - 23 : usable - 35
        if total <= most {
            guard start + total <= min(usable, page.bytes.count) else { return nil }
            return Array(page.bytes[start..<start + total])
        }
        let least = (usable - 12) * 32 / 255 - 23
        let fitting = least + (total - least) % (usable - 4)
        let local = fitting <= most ? fitting : least
        guard start + local + 4 <= min(usable, page.bytes.count) else { return nil }
        var payload = Array(page.bytes[start..<start + local])
        var next = page.bytes.bigEndian32(at: start + local)
        while payload.count < total {
            guard let bytes = image.page(next), Int(next) < reached.count, !reached[Int(next)] else { return nil }
            reached[Int(next)] = true
            let end = min(usable, 4 + total - payload.count)
            guard bytes.count >= end else { return nil }
            payload += bytes[4..<end]
            next = bytes.bigEndian32(at: 0)
        }
        return payload
    }

    /// Notes that the rows after one number and through another can't be reached; from `.min` on, all of them.
    private mutating func lose(_ low: Int64, _ high: Int64) {
        let first = low == .min || low == .max ? low : low + 1
        damaged.append(first...max(high, first))
    }
}
