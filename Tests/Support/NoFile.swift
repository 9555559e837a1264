package import MarketData

/// Rows that come from no file; all that is known about them is what the uploader itself did.
package struct NoFile: UploadFile {
    package let line: UploadLine
    private let sentAgain: Int64

    /// - Parameter sentAgain: the last row that may be upstream already.
    package init(id: String, sentAgain: Int64 = 0) {
        line = UploadLine(id: id)
        self.sentAgain = sentAgain
    }

    package func marks(of stream: EventStream) -> UploadMarks { UploadMarks(sentAgain: sentAgain) }
    package func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
        (BufferedBatch(stream: stream), through, false)
    }
    package func refusedRows(of stream: EventStream, after: Int64, through: Int64) -> [ClosedRange<Int64>] { [] }
    package func possiblyRefusedRows(of stream: EventStream, after: Int64, through: Int64) -> Set<Int64> { [] }
    package func lostRows(of stream: EventStream) -> ClosedRange<Int64>? { nil }
    package func prepare(_ move: UploadMove) {}
    package func acknowledge(_ stream: EventStream, through sequence: Int64) {}
    package func agree(withLedger uploaded: [EventStream: Int64], uncertain: Set<EventStream>) {}
    package func forget(_ ids: [String], of stream: EventStream) {}
}
