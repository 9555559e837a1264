import FeedServer

extension SimulatorConfiguration {
    /// Throws when a setting is out of range.
    func validate() throws(SimulatorError) {
        func require(_ holds: Bool, _ fault: String, _ advice: String) throws(SimulatorError) {
            guard !holds else { return }
            throw SimulatorError(
                reason: .configuration, operation: "configuring the simulator", underlying: fault, advice: advice)
        }
        try require((0...65535).contains(server.port), "port \(server.port) is out of range", "use 0 to 65535")
        try require((connectionLimit ?? 1) > 0, "the connection limit is out of range", "use 1 or more")
        try require(outboundLimitBytes > 0, "the outbound limit is out of range", "use 1 byte or more")
        if case .speed(let factor) = pace {
            try require(
                factor > 0 && factor.isFinite, "the speed \(factor) is out of range",
                "use a number above 0, or flat-out")
        }
        try require(startingClients >= 0, "the number of clients to wait for is out of range", "use 0 or more")
        switch source {
        case .captures(let replay):
            try require(!replay.files.isEmpty, "no captures are given", "name at least one capture")
            try require(
                (replay.passes ?? 1) > 0, "the number of passes is out of range",
                "use 1 or more, or omit it to repeat without end")
        case .synthetic(let feed):
            try require(
                !feed.symbols.isEmpty && Set(feed.symbols).count == feed.symbols.count,
                "no symbols are given, or one is given twice", "name at least one symbol, each only once")
            try require(!feed.kinds.isEmpty, "no kinds of events are given", "name at least one kind")
            try require(feed.quotesPerTrade >= 0, "the number of quotes per trade is out of range", "use 0 or more")
            try require(
                (0.001...10_000).contains(feed.tradesPerSecond),
                "the trade rate \(feed.tradesPerSecond) is out of range", "use 0.001 to 10000 per second and symbol")
        case .frames: break
        }
    }
}
