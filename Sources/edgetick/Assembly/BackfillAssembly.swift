import Backfill
import Logging
import MarketData
import Store
import Upstream

/// Builds the backfill from the settings.
extension Settings {
    /// The limit on requests to the REST API.
    var requestLimit: RequestLimit { RequestLimit(requestsPerMinute: backfill.requestsPerMinute) }

    /// Returns a client of the REST API.
    ///
    /// - Parameter limit: the limit that it shares with the other clients of this process; `nil` if it is the only one.
    /// - Throws: ``BackfillError`` if the feed is synthetic, no key is set, or the key may not be sent to that server.
    func aggregatesClient(_ limit: RequestLimit? = nil) throws(BackfillError) -> AggregatesClient {
        guard feed.source != .simulator else {
            throw BackfillError(.invalidConfiguration, "\(Self.noSyntheticEvents): unset USE_SYNTHETIC_DATA")
        }
        guard let key = feed.apiKey else {
            throw BackfillError(.invalidConfiguration, "the REST API needs a key: set MASSIVE_API_KEY")
        }
        guard backfill.mayAsk else {
            throw BackfillError(
                .invalidConfiguration,
                "the key is sent only to the feed's own REST server: set MASSIVE_REST_URL to that of this feed")
        }
        var configuration = AggregatesClient.Configuration(url: feed.restURL, apiKey: key, caFile: feed.caFile)
        configuration.limit = limit ?? requestLimit
        configuration.proxy = feed.proxy(for: feed.restURL)
        return try AggregatesClient(configuration: configuration, logger: Logger(label: "backfill"))
    }

    /// The delay of the feed's events, in milliseconds.
    var feedDelay: Int64 { ServerAddress(feed.url)?.isDelayed == true ? 15 * 60_000 : 0 }

    /// The age in milliseconds at which the REST server certainly has an event: the feed's delay and a minute, as it
    /// may count in whole minutes; 0 for a feed without delay. Asked earlier, the server would have nothing, and the gap
    /// would be settled as one without trades.
    var restDelay: Int64 { feedDelay > 0 ? feedDelay + 60_000 : 0 }

    /// How long after a gap's end it is filled. Until then, the stream may still deliver its last bars, and the REST
    /// server may lack them.
    var gapSettleTime: Duration { BackfillService.Configuration().settleTime + .milliseconds(restDelay) }

    /// The service that fills gaps soon after they happened; `nil` when it is off.
    func backfillService(buffer: TickBuffer, limit: RequestLimit) throws -> BackfillService? {
        switch idleBackfill {
        case .off(let why)?, .lacking(let why)?:
            Logger(label: "backfill").info("gaps are recorded but not filled: \(why)")
            return nil
        case .filling?, nil: break
        }
        var configuration = BackfillService.Configuration()
        configuration.reach = backfill.reach
        configuration.settleTime = gapSettleTime
        configuration.delay = .milliseconds(restDelay)
        let upstreams = try upstreams()
        return BackfillService(
            configuration: configuration, client: try aggregatesClient(limit), buffer: buffer,
            identified: Self.identified(upstreams, buffer.id), elsewhere: Self.uploadedElsewhere(upstreams, buffer),
            logger: Logger(label: "backfill"))
    }

    static let noSyntheticEvents = "the REST API has no synthetic events"

    /// Why gaps are filled only on request; `nil` if they are filled soon after they happened.
    var idleBackfill: BackfillState? {
        if feed.source == .simulator { return .off(Self.noSyntheticEvents) }
        if !backfill.isEnabled { return .off("BACKFILL_ENABLED is false") }
        guard feed.source == .feed, feed.apiKey != nil else { return .off("there is no feed with a key") }
        guard !backfill.isAutomatic else { return nil }
        return .lacking(
            "the key is sent only to the feed's own REST server: set MASSIVE_REST_URL to that of this feed, or "
                + "BACKFILL_ENABLED=false to leave gaps open")
    }

    /// Returns a function that asks the databases in which streams they recognise events that they already have. It
    /// throws if a database can't be asked, since that doesn't mean that it recognises none.
    static func identified(
        _ upstreams: [UpstreamConfiguration], _ bufferID: String
    ) -> @Sendable () async throws(BackfillError) -> Set<EventStream> {
        let uploaders = tickUploaders(upstreams, bufferID)
        return { () async throws(BackfillError) -> Set<EventStream> in
            try await Self.ask(uploaders, "whether it recognises trades and quotes") { uploader in
                try await uploader.identifiedStreams()
            }
        }
    }

    /// Returns a function that asks the databases of which of some streams another copy of the buffer's file has rows to
    /// upload, or has uploaded some, since a moment in milliseconds since the Unix epoch. It throws if a database can't
    /// be asked, or if this file hasn't taken over what waits in it yet.
    ///
    /// - Parameter settling: whether this process uploads nothing, so that it has to take over what waits now.
    static func uploadedElsewhere(
        _ upstreams: [UpstreamConfiguration], _ buffer: TickBuffer, settling: Bool = false
    ) -> @Sendable (Set<EventStream>, Int64) async throws(BackfillError) -> Set<EventStream> {
        let uploaders = tickUploaders(upstreams, buffer.id)
        return { (streams: Set<EventStream>, moment: Int64) async throws(BackfillError) -> Set<EventStream> in
            try await Self.ask(uploaders, "whether another copy of this file uploaded") { uploader in
                do throws(UpstreamError) {
                    return try await uploader.streamsUploadedElsewhere(than: buffer, of: streams, since: moment)
                } catch {
                    guard settling, error.reason == .busy else { throw error }
                }
                for stream in uploader.configuration.streams where streams.contains(stream) {
                    try await uploader.settle(stream, with: buffer)
                }
                return try await uploader.streamsUploadedElsewhere(than: buffer, of: streams, since: moment)
            }
        }
    }

    private static func tickUploaders(_ upstreams: [UpstreamConfiguration], _ bufferID: String) -> [Uploader] {
        upstreams.filter { $0.streams.contains(.trades) || $0.streams.contains(.quotes) }.map {
            Uploader(configuration: $0, bufferID: bufferID, logger: Logger(label: "backfill"))
        }
    }

    private static func ask(
        _ uploaders: [Uploader], _ matter: String, _ question: (Uploader) async throws -> Set<EventStream>
    ) async throws(BackfillError) -> Set<EventStream> {
        var streams: Set<EventStream> = []
        for uploader in uploaders {
            let found: Set<EventStream>
            do {
                found = try await question(uploader)
            } catch {
                await uploader.disconnect()
                throw BackfillError(.database, "the database can't be asked \(matter): \(error)")
            }
            await uploader.disconnect()
            streams.formUnion(found.intersection(uploader.configuration.streams))
        }
        return streams
    }
}
