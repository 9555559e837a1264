extension SimulatorConfiguration {
    /// Throws when a setting makes no sense.
    func validate() throws(SimulatorError) {
        func require(_ holds: Bool, _ setting: String, _ rule: String) throws(SimulatorError) {
            guard !holds else { return }
            throw SimulatorError(
                reason: .configuration, operation: "configuring the simulator",
                underlying: "\(setting) is out of range",
                advice: rule)
        }
        try require((0...65535).contains(port), "port \(port)", "use 0 to 65535")
        try require((connectionLimit ?? 1) > 0, "the connection limit", "use 1 or more")
        try require(outboundLimitBytes > 0, "the outbound limit", "use 1 byte or more")
        if case .speed(let factor) = pace {
            try require(factor > 0 && factor.isFinite, "the speed \(factor)", "use a number above 0, or flat out")
        }
        if case .subscriptions(let clients) = startsWith {
            try require(clients > 0, "the number of clients to wait for", "use 1 or more")
        }
        switch source {
        case .captures(let replay):
            try require(!replay.files.isEmpty, "the list of captures", "name one capture or more")
            try require((replay.passes ?? 1) > 0, "the number of passes", "use 1 or more, or none for endless")
        case .synthetic(let feed):
            try require(isDistinct(feed.symbols), "the list of symbols", "name one symbol or more, each once")
            try require(!feed.kinds.isEmpty, "the list of kinds", "name one kind or more")
            try require(feed.quotesPerTrade >= 0, "the number of quotes", "use 0 or more for each trade")
            try require(
                (0.001...10_000).contains(feed.tradesPerSecond), "the trade rate \(feed.tradesPerSecond)",
                "use 0.001 to 10000 a second and symbol")
        case .frames: break
        }
    }

    private func isDistinct(_ values: [some Hashable]) -> Bool {
        !values.isEmpty && Set(values).count == values.count
    }
}
