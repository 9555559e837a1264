import FeedServer
import Relay

extension Settings {
    /// The relay's configuration; `nil` if there is no relay.
    var relayConfiguration: RelayConfiguration? {
        guard let port = relay.port else { return nil }
        var configuration = RelayConfiguration()
        configuration.server.host = relay.host
        configuration.server.port = port
        configuration.keys = relay.keys
        if let certificate = relay.certificate, let privateKey = relay.privateKey {
            configuration.server.tls = .init(certificateFile: certificate, keyFile: privateKey)
        }
        configuration.maximumClients = relay.maximumClients
        configuration.clientBufferBytes = Int(relay.clientBuffer)
        configuration.kinds = feed.events
        configuration.maximumOnDemand = relay.onDemand
        return configuration
    }
}
