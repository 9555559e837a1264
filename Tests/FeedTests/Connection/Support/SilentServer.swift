import NIOCore
import NIOPosix

/// Accepts connections and says nothing.
final class SilentServer: Sendable {
    private let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }

    static func start() async throws -> SilentServer {
        SilentServer(
            channel: try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get())
    }

    private init(channel: any Channel) { self.channel = channel }

    func stop() async { try? await channel.close() }
}
