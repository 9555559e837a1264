import FoundationEssentials
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore

/// Reads a request's JSON body within limits of size and time.
struct BodyReader: Sendable {
    let limits: WebConfiguration.Limits

    /// Returns the body decoded as `Body`; `nil` if there is none.
    func read<Body: Decodable>(_ type: Body.Type, from call: Call) async throws -> Body? {
        let fields = call.request.headers
        if let length = fields[.contentLength].flatMap({ Int($0) }), length > limits.bodyBytes { throw tooLarge }
        let bytes = try await bytes(of: call.request.body)
        guard !bytes.isEmpty else { return nil }
        let mediaType = (fields[.contentType] ?? "").split(separator: ";").first.map { $0.lowercased() } ?? ""
        guard mediaType.filter({ $0 != " " }) == "application/json" else {
            throw Problem(.unsupportedMediaType, "Send the body as application/json.")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw Self.problem(error)
        }
    }

    private func bytes(of body: RequestBody) async throws -> [UInt8] {
        let limit = limits.bodyBytes
        let timeout = limits.bodyTimeout
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await part in body {
                    guard bytes.count + part.readableBytes <= limit else { throw tooLarge }
                    bytes.append(contentsOf: part.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let bytes = try await group.next() ?? nil else {
                throw Problem(.requestTimeout, "The body did not arrive within \(timeout.spoken).", closes: true)
            }
            return bytes
        }
    }

    private var tooLarge: Problem {
        Problem(.contentTooLarge, "The body may have \(limits.bodyBytes) bytes at most.", closes: true)
    }

    private static func problem(_ error: DecodingError) -> Problem {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, _): return .parameter(key.stringValue, "is missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return .parameter(place(context), "has the wrong type")
        case .dataCorrupted: return Problem(.badRequest, slug: "malformed-json", "The body is not valid JSON.")
        @unknown default: return Problem(.badRequest, slug: "malformed-json", "The body cannot be read.")
        }
    }
}
