import MarketData

/// What has to be recorded about a file's uploads.
struct LineChange: Sendable {
    var moves: [UploadMove] = []
    var forgotten: [(id: String, stream: EventStream)] = []

    var isEmpty: Bool { moves.isEmpty && forgotten.isEmpty }
}
