import FeedServer
import MarketData

/// Makes a frame from the events of another, changing some or leaving them out.
enum FrameEditor {
    /// Writes a frame of what `edit` appends for each event; an event for which it appends nothing is left out.
    ///
    /// Returns the number of events kept, by kind.
    static func rebuild(
        _ frame: UnsafeRawBufferPointer, into output: inout [UInt8],
        _ edit: (_ event: UnsafeRawBufferPointer, _ kind: KindSet, _ output: inout [UInt8]) -> Void
    ) -> KindCounts {
        output.removeAll(keepingCapacity: true)
        output.append(UInt8(ascii: "["))
        var counts = KindCounts()
        _ = FrameScan.forEachEvent(frame) { event in
            let before = output.count
            if before > 1 { output.append(UInt8(ascii: ",")) }
            let start = output.count
            edit(UnsafeRawBufferPointer(rebasing: frame[event.range]), event.kind, &output)
            if output.count == start {
                output.removeSubrange(before...)
            } else {
                counts.add(event.kind)
            }
        }
        output.append(UInt8(ascii: "]"))
        return counts
    }

    /// Appends an event with its times moved by `shift` milliseconds.
    static func appendShifted(
        _ event: UnsafeRawBufferPointer, kind: KindSet, by shift: Int64, to output: inout [UInt8]
    ) {
        replaceValues(of: event, in: &output) { key, value in
            let isTime =
                kind.isSubset(of: .bars)
                ? ObjectFields.matches(event, key, "s") || ObjectFields.matches(event, key, "e")
                : ObjectFields.matches(event, key, "t") || ObjectFields.matches(event, key, "trft")
                    || ObjectFields.matches(event, key, "pt")
            guard isTime, let time = ObjectFields.integer(event[value]) else { return nil }
            let (step, isTooFar) = shift.multipliedReportingOverflow(by: UnixTime.isNanoseconds(time) ? 1_000_000 : 1)
            let (moved, overflows) = time.addingReportingOverflow(step)
            return isTooFar || overflows ? nil : String(moved)
        }
    }

    /// Appends a bar with half its volume (`v`, and `dv` if present); appends nothing when the volume is below 2.
    static func appendPreliminary(_ event: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        guard let volume = ObjectFields.integer("v", in: event), volume > 1 else { return }
        let half = String(volume / 2)
        replaceValues(of: event, in: &output) { key, _ in
            if ObjectFields.matches(event, key, "v") { return half }
            return ObjectFields.matches(event, key, "dv") ? "\"\(half)\"" : nil
        }
    }

    /// Appends an event with what `replacement` returns in place of its fields' values; `nil` keeps a value.
    private static func replaceValues(
        of event: UnsafeRawBufferPointer, in output: inout [UInt8],
        _ replacement: (_ key: Range<Int>, _ value: Range<Int>) -> String?
    ) {
        var copied = 0
        _ = ObjectFields.forEach(event) { key, value in
            guard let text = replacement(key, value) else { return true }
            output.append(contentsOf: event[copied..<value.lowerBound])
            output.append(contentsOf: text.utf8)
            copied = value.upperBound
            return true
        }
        output.append(contentsOf: event[copied...])
    }
}
