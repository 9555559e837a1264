import MarketData

/// The result of one socket read, gathered until it is handed over.
struct FeedIntake {
    /// What was counted since the start.
    struct Counts {
        var frames: Int64 = 0
        var bytes: Int64 = 0
        var binaryFrames: Int64 = 0
    }

    private let name: String
    var decoder: FrameDecoder
    private(set) var batch: EventBatch
    private var statuses: [FeedStatus] = []
    private(set) var counts = Counts()
    private let tap: (any FrameTap)?
    /// A time that was reached, in milliseconds since the Unix epoch, and when that was noted; `nil` before the first
    /// read.
    private var reached: Int64
    private var noted: FeedMoment?
    /// When the last read began, and the present then, by the clock or the times before.
    private var read: (began: FeedMoment, present: Int64)?

    /// - Parameters:
    ///   - newestTime: The time of the newest event of the previous collector, in milliseconds since the Unix epoch.
    ///   - secret: What no sample of rejected text may show.
    init(name: String, tap: (any FrameTap)?, newestTime: Int64 = 0, hiding secret: Secret = Secret("")) {
        decoder = FrameDecoder(hiding: secret)
        reached = newestTime
        self.name = name
        self.tap = tap
        batch = EventBatch(connection: name, receivedMicroseconds: 0)
    }

    /// The kinds whose events' JSON is kept too.
    var keptKinds: KindSet { batch.sent?.kinds ?? [] }

    /// Keeps the JSON of events of these kinds in the batches from now on. The current batch must be taken out first.
    mutating func keep(_ kinds: KindSet) { batch.sent = kinds.isEmpty ? nil : SentEvents(kinds) }

    /// Begins a read, just after its bytes were taken from the socket.
    mutating func begin(_ now: FeedMoment) {
        batch.receivedMicroseconds = WallClock.microseconds()
        // If the clock was set back, the feed's times are still right.
        let present = max(now.wall, reached + (noted.map { now.elapsed(since: $0) } ?? 0))
        if noted == nil { noted = now }
        read = (now, present)
        decoder.times = FrameDecoder.believableTimes(now: present)
    }

    /// Decodes one text message.
    mutating func take(_ message: UnsafeRawBufferPointer) {
        counts.frames += 1
        counts.bytes += Int64(message.count)
        tap?.received(message, receivedMicroseconds: batch.receivedMicroseconds)
        decoder.decode(message, into: &batch, statuses: &statuses)
    }

    /// Counts a binary message, or the last part of one.
    mutating func skipBinary(_ message: UnsafeRawBufferPointer) {
        counts.binaryFrames += 1
        decoder.skipBinary(message)
    }

    /// Takes the events out; the next batch starts with room for as many, so that steady load grows no arrays.
    mutating func takeBatch() -> EventBatch {
        var next = EventBatch(connection: name, receivedMicroseconds: batch.receivedMicroseconds)
        next.reserve(asIn: batch, most: 4096)
        swap(&next, &batch)
        // An event from the future proves nothing; otherwise, the range of valid times would move with each.
        if let read, let noted, let newest = next.newestEnd {
            let time = min(newest, read.present)
            if time > reached + read.began.elapsed(since: noted) { (self.reached, self.noted) = (time, read.began) }
        }
        return next
    }

    mutating func takeStatuses() -> [FeedStatus] {
        defer { statuses.removeAll(keepingCapacity: true) }
        return statuses
    }
}
