import MarketData

/// Why a connection ends, and what that means for the next try.
struct FeedEnding: Error, Equatable, Sendable {
    var error: FeedError
    var pace: FeedClose

    init(_ reason: FeedError.Reason, _ operation: String, _ message: String) {
        error = FeedError(reason, operation: operation, message: message)
        switch reason {
        case .keyRefused: pace = .keyRefused
        case .connectionLimit: pace = .connectionLimit
        default: pace = .ordinary
        }
    }

    /// The handshake was answered with an HTTP status other than 101, and perhaps with a Retry-After in seconds.
    static func handshakeRefused(status: Int, retryAfter: Int?, _ configuration: FeedConfiguration) -> FeedEnding {
        let advice: String
        var pace = FeedClose.ordinary
        switch status {
        case 401, 403:
            advice = "the server refuses this client; check \(configuration.apiKeyName), the plan and the URL"
            pace = .keyRefused
        case 404: advice = "there is no feed at this path; check the URL"
        case 429:
            advice = "too many attempts; waiting longer"
            pace = .tooManyRequests(retryAfter.map { .seconds($0) })
        case 300..<400: advice = "the feed has moved; set its new URL"
        case 500...: advice = "the server failed; trying again"
        default: advice = "the server does not speak WebSocket here; check the URL"
        }
        var ending = FeedEnding(
            .handshakeRefused, "connect",
            "\(configuration.endpoint) responded with HTTP \(status) instead of opening a WebSocket: \(advice)")
        ending.pace = pace
        return ending
    }

    /// The cause recorded in the gaps that this ending makes.
    var gapCause: Gap.Cause {
        switch error.reason {
        case .stalled: .stalled
        case .overflow: .overflow
        default: .disconnected
        }
    }

    /// Whether someone must look into it, although tries continue.
    var needsAttention: Bool {
        switch error.reason {
        case .keyRefused, .connectionLimit, .certificate, .certificateFile, .invalidConfiguration, .plaintextRefused:
            true
        case .handshakeRefused: pace == .keyRefused
        default: false
        }
    }
}
