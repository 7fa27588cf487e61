import Collectives
import Configuration
import Learning

extension LinkTransport {
    /// What a configuration calls it. The ring knows no configurations, and a configuration no
    /// ring.
    package init(_ transport: CommunicationConfiguration.Transport) {
        switch transport {
        case .auto: self = .auto
        case .tcp: self = .tcp
        case .shm: self = .shm
        }
    }
}
