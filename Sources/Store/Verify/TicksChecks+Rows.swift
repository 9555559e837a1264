import MarketData

/// Checks every row: its number and its values.
extension TicksChecks {
    /// Reads a stream's rows in steps, each in its own snapshot, and continues after rows that can't be read.
    mutating func walk(_ stream: EventStream, progress: (Int64) -> Void) throws(StoreError) {
        guard let marks = result.streams[stream], let first = marks.first, let last = marks.last else { return }
        let rules = RowRules(stream, inFileOfVersion: version)
        let name = stream.rawValue
        let count = try handle.statement(
            """
            SELECT count(*), min(seq), max(seq), sum((\(rules.all)) IS NOT TRUE)
            FROM (SELECT * FROM \(name) WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT \(Self.step))
            """)
        var reported = 0
        // Numbers below 1 are reported with the marks.
        var after = max(first, 1) - 1
        while after < last {
            do throws(StoreError) {
                var step = (rows: Int64(0), first: Int64?.none, last: Int64?.none, broken: Int64(0))
                // From the first number wanted: a query for what comes after the previous one would touch its page.
                try count.forEach([after + 1, last]) { row in
                    step = (row.integer(0) ?? 0, row.integer(1), row.integer(2), row.integer(3) ?? 0)
                }
                guard step.rows > 0, let end = step.last, let start = step.first else { break }
                if start > after + 1 { holes[stream, default: []].append(after + 1...start - 1) }
                if end - start + 1 != step.rows { try findHoles(stream, from: start, through: end) }
                if step.broken > 0 { try reportBroken(stream, rules, from: start, through: end, &reported) }
                result.streams[stream]?.rows += step.rows
                result.rows += step.rows
                after = end
            } catch {
                guard error.reason == .damaged else { throw error }
                // Finds the last row before the damage, then the first readable row after it.
                let good = try lastReadable(stream, after: after, through: last)
                guard good < last else { throw error }
                let end = try firstReadable(stream, after: good, through: last).map { $0 - 1 } ?? last
                let lost = good + 1...max(good + 1, end)
                result.find(
                    .fault, .structure, at: "\(name) \(lost.lowerBound)…\(lost.upperBound)",
                    "\(lost.count.counted("row")) can't be read", advice: FileVerifier.repairAdvice)
                after = lost.upperBound
            }
            progress(after - max(first, 1) + 1)
        }
    }

    /// Counts the rows before the first one that can't be read, and returns the last of them.
    private mutating func lastReadable(_ stream: EventStream, after: Int64, through: Int64) throws(StoreError) -> Int64
    {
        let statement = try handle.statement(
            "SELECT seq, * FROM \(stream.rawValue) WHERE seq >= \(after + 1) AND seq <= \(through) ORDER BY seq")
        var good = after
        var rows: Int64 = 0
        do throws(StoreError) {
            while try statement.step() {
                guard let sequence = statement.row.integer(0), sequence > good else { break }
                good = sequence
                rows += 1
            }
        } catch {
            guard error.reason == .damaged else { throw error }
        }
        result.streams[stream]?.rows += rows
        result.rows += rows
        return good
    }

    /// Returns the first readable row after the damage: the step doubles until a row can be read, then halves.
    private func firstReadable(_ stream: EventStream, after: Int64, through: Int64) throws(StoreError) -> Int64? {
        func row(from sequence: Int64) throws(StoreError) -> Int64? {
            do throws(StoreError) {
                return try handle.number(
                    "SELECT seq FROM \(stream.rawValue) WHERE seq >= \(sequence) ORDER BY seq LIMIT 1")
            } catch {
                guard error.reason == .damaged else { throw error }
                return nil
            }
        }
        var low = after + 1
        var width: Int64 = 1
        while width <= through - low, try row(from: low + width) == nil { width = min(width, Int64.max / 2) * 2 }
        var high = width < through - low ? low + width : through
        guard try row(from: high) != nil else { return nil }
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if try row(from: middle) == nil { low = middle } else { high = middle }
        }
        return try row(from: high)
    }

    private mutating func findHoles(_ stream: EventStream, from: Int64, through: Int64) throws(StoreError) {
        var previous = from - 1
        var found: [ClosedRange<Int64>] = []
        try handle.rows(
            "SELECT seq FROM \(stream.rawValue) WHERE seq BETWEEN \(from) AND \(through) ORDER BY seq"
        ) { row in
            let sequence = row.integer(0) ?? previous
            if sequence > previous + 1 { found.append(previous + 1...sequence - 1) }
            previous = sequence
        }
        holes[stream, default: []] += found
    }

    private mutating func reportBroken(
        _ stream: EventStream, _ rules: RowRules, from: Int64, through: Int64, _ reported: inout Int
    ) throws(StoreError) {
        let rows = try handle.rows(
            """
            SELECT seq, \(rules.firstBroken) FROM \(stream.rawValue)
            WHERE seq BETWEEN \(from) AND \(through) AND (\(rules.all)) IS NOT TRUE ORDER BY seq
            """
        ) { (sequence: $0.integer(0) ?? 0, rule: $0.text(1)) }
        for (sequence, rule) in rows {
            reported += 1
            guard reported <= Self.mostTold else { break }
            result.find(
                .fault, .values, at: "\(stream.rawValue) \(sequence)", rule,
                advice: "the upload leaves out a row that is not an event; it counts as unreadable in drops")
        }
        if reported - rows.count < Self.mostTold, reported > Self.mostTold {
            result.find(.note, .values, at: stream.rawValue, "there are more such rows than are listed here")
        }
    }
}
