import Feed
import Foundation
import MarketData

struct WrongFrames: Error {}

/// Measures how many events a second ``FrameDecoder`` decodes, reading the same frames repeatedly, one batch per frame.
func decodeRate(frames path: String, seconds: Double) throws -> Double {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let frames = data.split(separator: UInt8(ascii: "\n")).map { [UInt8]($0) }
    var decoder = FrameDecoder()
    var batch = EventBatch(connection: "bench", receivedMicroseconds: 0)
    var statuses: [FeedStatus] = []
    var events = 0
    var check = 0.0
    let clock = ContinuousClock()
    let start = clock.now
    var elapsed = Duration.zero
    repeat {
        for frame in frames {
            batch.removeAll()
            frame.withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
            events += batch.count
            check += batch.bars.last?.close ?? 0
        }
        elapsed = start.duration(to: clock.now)
    } while elapsed < .seconds(seconds)
    guard decoder.rejects.total == 0, events > 0, check > 0 else { throw WrongFrames() }
    return Double(events) / (elapsed / .seconds(1))
}
