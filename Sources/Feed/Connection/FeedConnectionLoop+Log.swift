import Logging
import MarketData

extension FeedConnectionLoop {
    /// Logs a routine event of the connection.
    func log(_ notice: FeedNotice) {
        switch notice {
        case .opened:
            logger.debug("feed connection opened", metadata: ["feed": "\(configuration.endpoint)"])
        case .loggedIn:
            logger.debug("logged in to the feed")
        case .subscribing(let channels, let messages):
            logger.debug("subscribing", metadata: ["channels": "\(channels)", "messages": "\(messages)"])
        case .connected(let confirmed, let wanted):
            guard wanted > 0 else {
                logger.warning("feed connected, with no symbols to collect")
                return
            }
            logger.info(
                "feed connected",
                metadata: [
                    "feed": "\(configuration.endpoint)", "confirmed": "\(confirmed)", "channels": "\(wanted)",
                ])
        case .askingAgain(let count):
            logger.info("asking again for unconfirmed channels", metadata: ["channels": "\(count)"])
        case .remark(let status, let message):
            guard let count = remarks.occurred("remark", "\(status) \(message)", now: .now()) else { return }
            var metadata: Logger.Metadata = ["status": "\(status)", "message": "\(message)"]
            if count > 1 { metadata["not_logged"] = "\(count - 1)" }
            logger.notice("status message from the feed", metadata: metadata)
        case .suspended(let length):
            logger.warning(
                "this process or its machine was suspended; events that the feed discarded meanwhile are recorded as a gap",
                metadata: ["for": "\(length.spoken)"])
        case .interestChanged(let added, let removed):
            logger.info("symbols changed", metadata: ["added": "\(added)", "removed": "\(removed)"])
        case .stopped:
            logger.info("feed connection stopped")
        }
    }

    /// Logs a failure, what to do about it, and when the next try is.
    func log(_ error: FeedError, retry: Duration?, count: Int) {
        var metadata: Logger.Metadata = [
            "reason": "\(error.reason.rawValue)", "error": "\(error)", "status": "\(machine.status.rawValue)",
        ]
        if let retry { metadata["retry"] = "in \(retry.spoken)" }
        if count > 1 { metadata["count"] = "\(count)" }
        let isSevere = machine.status == .error
        logger.log(level: isSevere ? .error : .warning, "feed connection problem", metadata: metadata)
    }

    /// Logs what could not be decoded, with a sample of it.
    func log(_ line: RejectLog.Line) {
        let metadata: Logger.Metadata = [
            "kind": "\(line.kind?.rawValue ?? "unknown")", "count": "\(line.count)", "sample": "\(line.sample)",
        ]
        switch line.loss {
        case .events:
            logger.error("events can't be decoded and are lost; the feed may have changed", metadata: metadata)
        case .fields:
            logger.warning(
                "some event fields do not have the documented form and are left out; the feed may have changed",
                metadata: metadata)
        }
    }
}
