import AsyncHTTPClient
import FoundationEssentials
import MarketData
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Queries the collector that runs on a data directory over its HTTP API.
struct LocalAPI {
    /// What went wrong, as part of a message.
    struct Failure: Error {
        let description: String
    }

    /// The base address, such as `http://127.0.0.1:8080/`.
    let address: String
    private let token: Secret?

    /// Finds the collector that uses `directory`; `nil` if none has left its address there.
    init?(directory: String, token: Secret?) {
        let file = directory + "/" + WebListener.addressFileName
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let address = text.split(whereSeparator: \.isWhitespace).first.map { String($0) } ?? ""
        guard let url = URL(string: address), url.host != nil, url.port != nil else { return nil }
        self.address = address
        self.token = token
    }

    /// Fetches and decodes the response to a path; takes three seconds at most.
    func get<Answer: Decodable>(_ path: String, as type: Answer.Type) async throws(Failure) -> Answer {
        var request = HTTPClientRequest(url: address + path.drop { $0 == "/" })
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.reveal())") }
        let (status, body): (Int, ByteBuffer)
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(3))
            status = Int(response.status.code)
            body = try await response.body.collect(upTo: 64 << 20)
        } catch {
            let isLate = [.deadlineExceeded, .connectTimeout].contains(error as? HTTPClientError)
            throw Failure(description: isLate ? "\(address) does not answer in time" : "\(address): \(error)")
        }
        guard status == 200 else {
            throw Failure(
                description: status == 401
                    ? "the collector requires HTTP_TOKEN: set the same value here" : "\(address) answered \(status)")
        }
        guard let answer = try? JSONDecoder().decode(type, from: Data(buffer: body)) else {
            throw Failure(description: "\(address) answers in an unknown form: it may run another version of EdgeTick")
        }
        return answer
    }
}
