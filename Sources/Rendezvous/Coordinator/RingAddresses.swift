// Where a worker finds its peers. No worker sends the coordinator an address: a worker's host is
// where its control connection comes from, which is an address that works by construction; the
// hello only names the data port.
//
// One case needs care: a worker on the coordinator's own host may have connected over loopback. To
// a worker elsewhere that address would mean itself; it is given the address under which it reaches
// the coordinator's host instead.

import Transport

package enum RingAddresses {
    /// The data listeners of all `endpoints` (in rank order) as seen from `receiver`.
    ///
    /// - Precondition: data ports are within 1...65535, as decoding has made sure.
    package static func addresses(
        of endpoints: [WorkerEndpoint], seenFrom receiver: WorkerEndpoint
    ) -> [SocketAddress] {
        endpoints.map { endpoint in
            let isUnreachable =
                endpoint.remoteAddress.isLoopback && !receiver.remoteAddress.isLoopback
            let host = isUnreachable ? receiver.localAddress : endpoint.remoteAddress
            return host.with(port: endpoint.dataPort)
        }
    }
}
