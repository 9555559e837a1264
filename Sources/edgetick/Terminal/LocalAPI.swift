import AsyncHTTPClient
import FoundationEssentials
import MarketData
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Wire

/// Asks the collector that runs on a data directory for its state, over its HTTP API.
struct LocalAPI {
    /// What went wrong, as part of a message.
    struct Failure: Error {
        let description: String
    }

    /// The base address, such as `http://127.0.0.1:8080/`.
    let address: String
    private let token: Secret?

    /// Finds the collector that uses the settings' data directory; `nil` if none has left its address there.
    init?(_ settings: Settings) {
        let file = settings.dataDirectory + "/" + WebListener.addressFileName
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let address = text.split(whereSeparator: \.isWhitespace).first.map { String($0) } ?? ""
        guard let url = URL(string: address), url.host != nil, url.port != nil else { return nil }
        self.address = address
        token = settings.http.token
    }

    /// Fetches the collector's state; takes three seconds at most.
    func status() async throws(Failure) -> StatusJSON {
        var request = HTTPClientRequest(url: address + "api/status")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.reveal())") }
        let (code, body): (UInt, ByteBuffer)
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(3))
            code = response.status.code
            body = try await response.body.collect(upTo: 64 << 20)
        } catch {
            let isLate = [.deadlineExceeded, .connectTimeout].contains(error as? HTTPClientError)
            throw Failure(description: isLate ? "\(address) does not answer in time" : "\(address): \(error)")
        }
        guard code == 200 else {
            throw Failure(
                description: code == 401
                    ? "the collector requires HTTP_TOKEN: set the same value here" : "\(address) answered \(code)")
        }
        guard let status = try? JSONDecoder().decode(StatusJSON.self, from: Data(buffer: body)) else {
            throw Failure(description: "\(address) answers in an unknown form: it may run another version of EdgeTick")
        }
        return status
    }
}
