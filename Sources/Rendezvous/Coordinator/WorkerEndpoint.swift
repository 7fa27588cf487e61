import Transport

/// One end of a control connection with the worker's data port.
package struct WorkerEndpoint: Sendable {
    /// The worker's side of its control connection.
    package let remoteAddress: SocketAddress
    /// The coordinator's side of it.
    package let localAddress: SocketAddress
    package let dataPort: Int

    package init(remoteAddress: SocketAddress, localAddress: SocketAddress, dataPort: Int) {
        self.remoteAddress = remoteAddress
        self.localAddress = localAddress
        self.dataPort = dataPort
    }
}
