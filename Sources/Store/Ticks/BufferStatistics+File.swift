import MarketData

/// What becomes of the marks when the file does not hold what memory knows. Reads no file.
extension BufferStatistics {
    /// The rows that wait for upload, counted as lost for a reason.
    func waitingRows(_ reason: DropReason) -> DropTally {
        var waiting = DropTally()
        for stream in EventStream.allCases where self[stream].pending > 0 {
            let marks = self[stream].marks
            waiting.addUnknown(stream, reason, sequences: marks.settled + 1...marks.last)
        }
        return waiting
    }

    /// Notes that no row is in the file any more.
    mutating func forgetRows() {
        for stream in EventStream.allCases {
            self[stream].marks.deleted = self[stream].marks.last
            self[stream].oldestPendingMilliseconds = nil
        }
    }

    /// Adopts the marks of the file.
    ///
    /// - Parameter isThere: Whether the last transaction, of unknown outcome, is in the file; its rows are then adopted
    ///   when it is published.
    /// - Returns: The rows that were durable and are no longer there, and how many are there that another program wrote.
    mutating func reconcile(
        with contents: TickConnection.Contents, isThere: Bool
    ) -> (missing: DropTally, found: Int64) {
        var missing = DropTally()
        var found: Int64 = 0
        for stream in EventStream.allCases {
            let (marks, inFile) = (self[stream].marks, contents[stream])
            let next = max(inFile.last, marks.settled) + 1
            if next <= marks.last {
                missing.addUnknown(stream, .vanished, sequences: next...marks.last)
            } else if !isThere, inFile.last > marks.last {
                found += inFile.last - marks.last
                self[stream].marks.last = inFile.last
            }
            self[stream].marks.deleted = max(marks.deleted, inFile.deleted)
        }
        return (missing, found)
    }
}
