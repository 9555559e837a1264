import Backfill
import Logging
import MarketData
import Store
import Upstream

/// Builds the backfill from the settings.
extension Settings {
    /// A client of the REST aggregates; refused if the feed's key may not be sent to the REST server.
    func aggregatesClient() throws(BackfillError) -> AggregatesClient {
        guard feed.source != .simulator else {
            throw BackfillError(.invalidConfiguration, "\(Self.noSyntheticEvents): unset USE_SYNTHETIC_DATA")
        }
        guard let key = feed.apiKey else {
            throw BackfillError(.invalidConfiguration, "MASSIVE_API_KEY is needed to ask the REST aggregates")
        }
        guard backfill.mayAsk else {
            throw BackfillError(
                .invalidConfiguration,
                "the key is sent to no REST server but the feed's own: set MASSIVE_REST_URL to the one of this feed")
        }
        var configuration = AggregatesClient.Configuration(url: feed.restURL, apiKey: key, caFile: feed.caFile)
        configuration.requestsPerMinute = backfill.requestsPerMinute
        configuration.proxy = feed.proxy(for: feed.restURL)
        return try AggregatesClient(configuration: configuration, logger: Logger(label: "backfill"))
    }

    /// The delay of the feed's events, in milliseconds.
    var feedDelay: Int64 { ServerAddress(feed.url)?.isDelayed == true ? 15 * 60_000 : 0 }

    /// The age in milliseconds at which the REST server certainly has an event: the feed's delay and a minute, as it
    /// may count in whole minutes. A gap that is asked for earlier would be settled as one without trades.
    var restDelay: Int64 { feedDelay > 0 ? feedDelay + 60_000 : 0 }

    /// How long after a gap's end it is filled: the stream may still bring its last bars, the REST server lack them.
    var gapSettleTime: Duration { BackfillService.Configuration().settleTime + .milliseconds(restDelay) }

    /// The service that fills gaps soon after they happened; `nil` when it is off.
    func backfillService(buffer: TickBuffer) throws -> BackfillService? {
        switch idleBackfill {
        case .off(let why)?, .lacking(let why)?:
            Logger(label: "backfill").info("gaps are recorded and not filled: \(why)")
            return nil
        case .filling?, nil: break
        }
        var configuration = BackfillService.Configuration()
        configuration.reach = backfill.reach
        configuration.settleTime = gapSettleTime
        return BackfillService(
            configuration: configuration, client: try aggregatesClient(), buffer: buffer,
            identified: Self.identified(try upstreams(), buffer.id), logger: Logger(label: "backfill"))
    }

    static let noSyntheticEvents = "the REST API has no synthetic events"

    /// Why gaps are filled only on request; `nil` if they are filled soon after they happened.
    var idleBackfill: BackfillState? {
        if feed.source == .simulator { return .off(Self.noSyntheticEvents) }
        if !backfill.isEnabled { return .off("BACKFILL_ENABLED is false") }
        guard feed.source == .feed, feed.apiKey != nil else { return .off("there is no feed with a key") }
        guard !backfill.isAutomatic else { return nil }
        return .lacking(
            "the key is sent to no REST server but the feed's own; set MASSIVE_REST_URL to the one of this feed, or "
                + "BACKFILL_ENABLED=false if gaps are to stay open")
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
