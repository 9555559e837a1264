import MarketData

/// What is to be written down of a file's uploads.
struct LineChange: Sendable {
    var moves: [UploadMove] = []
    var forgotten: [(id: String, stream: EventStream)] = []

    var isEmpty: Bool { moves.isEmpty && forgotten.isEmpty }
}
