import Compression
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore
import Synchronization
import Wire

/// The dashboard's files, and the description of the API, all embedded in the binary.
struct DashboardRoutes: Sendable {
    var routes: [Route] {
        [
            Self.page("/", "dashboard", .page, "The dashboard"),
            Self.page("/admin/websockets", "dashboardOfConnections", .pageBelow, "The dashboard"),
        ] + Asset.all.map { Self.page("/assets/" + $0.name, $0.name, $0, "A file of the dashboard") }
    }

    /// The route that serves the description of the given routes and of itself.
    static func description(of routes: [Route]) -> Route {
        @Sendable func route(_ asset: Asset) -> Route {
            Route(
                .get, "/api/openapi.json", .open, "description", "This document",
                answers: [200: .init(schema: .map(.any))]
            ) { call in answer(call, asset) }
        }
        return route(Asset("openapi.json") { OpenAPIDocument(routes + [route(.page)]).bytes })
    }

    private static func page(_ path: String, _ name: String, _ asset: Asset, _ summary: String) -> Route {
        let content = Route.Content(mediaType: asset.mediaType, schema: .text(Bounds()), meaning: summary)
        return Route(.get, path, .open, name, summary, answers: [200: content]) { call in answer(call, asset) }
    }

    private static func answer(_ call: Call, _ asset: Asset) -> Response {
        let takesPacked = (call.request.headers[.acceptEncoding] ?? "").split(separator: ",").contains {
            let coding = $0.drop { $0 == " " }
            return coding == "gzip" || (coding.hasPrefix("gzip;") && !coding.hasSuffix("q=0"))
        }
        let content = asset.content
        let packed = takesPacked ? content.packed : nil
        var headers: HTTPFields = [
            .eTag: packed == nil ? content.tag : content.packedTag, .cacheControl: "no-cache",
            .contentType: asset.mediaType, .vary: "accept-encoding",
        ]
        if packed != nil { headers[.contentEncoding] = "gzip" }
        let known = (call.request.headers[.ifNoneMatch] ?? "").split(separator: ",").map { $0.drop { $0 == " " } }
        if known.contains(where: { $0 == headers[.eTag] ?? "" || $0 == "*" }) {
            headers[.contentType] = nil
            headers[.contentEncoding] = nil
            return Response(status: .notModified, headers: headers)
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: packed ?? content.buffer))
    }
}

/// One embedded file, packed when it is first asked for.
final class Asset: Sendable {
    /// The name below `/assets/`.
    let name: String
    private let make: @Sendable () -> [UInt8]
    private let made = Mutex<Content?>(nil)

    init(_ name: String, _ bytes: @escaping @Sendable () -> [UInt8]) {
        self.name = name
        make = bytes
    }

    var mediaType: String {
        let type: Substring = name.split(separator: ".").last ?? ""
        return switch type {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "application/json"
        }
    }

    var content: Content {
        made.withLock { made in
            let content = made ?? Content(make())
            made = content
            return content
        }
    }

    /// What a reader gets.
    struct Content: Sendable {
        /// Changes if and only if the bytes change.
        let tag: String
        let buffer: ByteBuffer
        /// The bytes compressed with gzip, if that is smaller.
        let packed: ByteBuffer?
        var packedTag: String { tag.dropLast() + "-gzip\"" }

        fileprivate init(_ bytes: [UInt8]) {
            tag = "\"\(ContentDigest.hex(of: bytes).prefix(16))\""
            buffer = ByteBuffer(bytes: bytes)
            let packed = Deflate.gzip.packed(bytes, level: 9)
            self.packed = packed.count < bytes.count ? ByteBuffer(bytes: packed) : nil
        }
    }
}
