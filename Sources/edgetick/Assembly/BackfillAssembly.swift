import Backfill
import Logging
import MarketData
import Store
import Upstream

/// Builds the backfill from the settings.
extension Settings {
    /// Returns a client of the REST aggregates that uses the feed's key.
    func aggregatesClient() throws(BackfillError) -> AggregatesClient {
        guard let key = feed.apiKey else {
            throw BackfillError(.invalidConfiguration, "MASSIVE_API_KEY is needed to ask the REST aggregates")
        }
        var configuration = AggregatesClient.Configuration(url: feed.restURL, apiKey: key, caFile: feed.caFile)
        configuration.requestsPerMinute = backfill.requestsPerMinute
        configuration.proxy = feed.proxy(for: feed.restURL)
        return try AggregatesClient(configuration: configuration, logger: Logger(label: "backfill"))
    }

    /// The delay of the feed's events, in milliseconds.
    var feedDelay: Int64 {
        ServerAddress(feed.url)?.isDelayed == true ? 15 * 60_000 : 0
    }

    /// The age in milliseconds at which an event has certainly come and the REST server certainly has it: the feed's
    /// delay plus a minute, since the server may count its delay in whole minutes. A gap that is asked for earlier would
    /// be settled as one without trades.
    var restDelay: Int64 { feedDelay > 0 ? feedDelay + 60_000 : 0 }

    /// The service that fills gaps soon after they happened; `nil` when it is off.
    ///
    /// - Throws: `BackfillError` and `UpstreamError`.
    func backfillService(buffer: TickBuffer) throws -> BackfillService? {
        guard feed.source == .feed, backfill.isAutomatic, feed.apiKey != nil else {
            Logger(label: "backfill").info("gaps are recorded and not filled: \(whyGapsStay)")
            return nil
        }
        var configuration = BackfillService.Configuration()
        configuration.reach = backfill.reach
        configuration.settleTime += .milliseconds(restDelay)
        return BackfillService(
            configuration: configuration, client: try aggregatesClient(), buffer: buffer,
            identified: Self.identified(try upstreams(), buffer.id), logger: Logger(label: "backfill"))
    }

    /// Why gaps are filled only on request.
    private var whyGapsStay: String {
        if feed.source == .simulator { return "the REST API has no synthetic events" }
        if !backfill.isEnabled { return "BACKFILL_ENABLED is false" }
        if !backfill.mayAsk {
            return "the key is sent to no REST server but the feed's own; MASSIVE_REST_URL names the one of this feed"
        }
        return "there is no feed with a key"
    }

    /// Returns a function that asks the databases in which of their streams they recognise trades and quotes that they
    /// already have. It throws if one can't be asked: that doesn't mean that it recognises none.
    static func identified(
        _ upstreams: [UpstreamConfiguration], _ bufferID: String
    ) -> @Sendable () async throws(BackfillError) -> Set<EventStream> {
        let uploaders = upstreams.filter { $0.streams.contains(.trades) || $0.streams.contains(.quotes) }.map {
            Uploader(configuration: $0, bufferID: bufferID, logger: Logger(label: "backfill"))
        }
        return { () async throws(BackfillError) -> Set<EventStream> in
            var streams: Set<EventStream> = []
            for uploader in uploaders {
                let found: Set<EventStream>
                do {
                    found = try await uploader.identifiedStreams()
                } catch {
                    await uploader.disconnect()
                    throw BackfillError(
                        .database, "the database can't be asked whether it recognises trades and quotes: \(error)")
                }
                await uploader.disconnect()
                streams.formUnion(found.intersection(uploader.configuration.streams))
            }
            return streams
        }
    }
}
