import CPostgres
import Glibc

/// Rows for COPY … FROM STDIN, encoded chunk by chunk.
protocol CopySource {
    /// Replaces `bytes` with the next chunk; empty when there are no more rows.
    mutating func nextChunk(into bytes: inout [UInt8])
}

extension PostgresConnection {
    /// Runs statements of which the last is COPY … FROM STDIN, and sends the rows.
    ///
    /// `onResult` is called with the result of each statement; if it throws before the COPY begins, no rows are sent. A
    /// chunk is encoded only after the previous one was handed to the kernel, so memory is bounded by one chunk, and
    /// encoding overlaps with the server's work as far as the socket buffers allow.
    ///
    /// - Returns: The number of bytes sent, and of rows that the server says it stored.
    /// - Throws: the first error, after the exchange is over.
    func copy(
        _ sql: String, from source: some CopySource, _ operation: String,
        _ onResult: (StatementResult) throws(UpstreamError) -> Void = { _ in }
    ) throws(UpstreamError) -> (bytes: Int, stored: Int) {
        var deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        var source = source
        var (sent, stored) = (0, 0)
        var copied = false
        var failure: UpstreamError?
        while let result = try nextResult(until: deadline, operation, after: failure) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                guard failure == nil else { break }
                let result = StatementResult(result)
                if copied { stored = result.affected }
                do throws(UpstreamError) { try onResult(result) } catch { failure = error }
            case PGRES_COPY_IN where !copied:
                copied = true
                // The earlier statements are done; the rows get the full time limit.
                deadline = Deadline(after: configuration.responseLimit)
                if failure == nil {
                    sent = try sendRows(&source, until: deadline, operation)
                } else {
                    try endCopy(because: "not wanted", until: deadline, operation)
                }
            default: failure = failure ?? error(in: result, operation)
            }
        }
        if let failure { throw settled(failure) }
        guard copied else { throw discarded(.connectionLost, operation, "the server didn't ask for the rows") }
        return (sent, stored)
    }

    /// Runs a COPY … TO STDOUT and passes on each row as the server sent it, without the line ending.
    ///
    /// The server waits while a row is processed, so memory is bounded by one row.
    ///
    /// - Throws: the first error, or what `row` throws; then the connection is closed, since more rows may follow.
    func copyOut(
        _ sql: String, _ operation: String, _ row: (UnsafeRawBufferPointer) throws(UpstreamError) -> Void
    ) throws(UpstreamError) {
        var deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        while let result = try nextResult(until: deadline, operation) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: continue
            case PGRES_COPY_OUT: break
            default: throw settled(error(in: result, operation))
            }
            var bounds = AnswerBounds(received: received)
            rows: while true {
                var bytes: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(handle, &bytes, 1)
                defer { if let bytes { PQfreemem(bytes) } }
                switch count {
                case 1...:
                    // Each row gets the full time limit.
                    deadline = Deadline(after: configuration.responseLimit)
                    bounds = AnswerBounds(received: received)
                    do throws(UpstreamError) {
                        try row(UnsafeRawBufferPointer(start: bytes, count: Int(count) - 1))
                    } catch {
                        finish()
                        throw error
                    }
                case 0:
                    try takeMore(of: &bounds, until: deadline, operation)
                case -1: break rows
                default: throw discarded(.connectionLost, operation, lastMessage)
                }
            }
        }
    }

    /// Sends all rows, or stops when the server refuses one; the next result then has the reason.
    private func sendRows(
        _ source: inout some CopySource, until deadline: Deadline, _ operation: String
    ) throws(UpstreamError) -> Int {
        var sent = 0
        var chunk: [UInt8] = []
        while true {
            source.nextChunk(into: &chunk)
            guard !chunk.isEmpty else { break }
            let put = chunk.withUnsafeBytes {
                PQputCopyData(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
            }
            // libpq has seen the server's refusal; a lost connection shows up in the next step as well.
            if put == -1 { return sent }
            // A chunk that isn't queued would be missing in the middle of the rows.
            guard put == 1 else { throw discarded(.busy, operation, "libpq has no memory for the rows") }
            sent += chunk.count
            try flush(until: deadline, operation)
            try noticeRefusal(operation)
        }
        try endCopy(because: nil, until: deadline, operation)
        return sent
    }

    /// Ends the rows, or aborts the COPY if there is a reason.
    private func endCopy(because reason: String?, until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        while PQputCopyEnd(handle, reason) == 0 { _ = try waitFor(POLLOUT, until: deadline, operation) }
        try flush(until: deadline, operation)
    }

    /// Reads what has arrived, without waiting, so that a refusal stops the sending early.
    private func noticeRefusal(_ operation: String) throws(UpstreamError) {
        var polled = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        if poll(&polled, 1, 0) > 0 { try consumeInput(operation) }
    }
}
