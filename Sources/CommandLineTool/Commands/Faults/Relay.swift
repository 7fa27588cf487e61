// A relay between the workers of one machine and their coordinator, and between the workers, so
// that links can be cut and reset while the processes live.
//
// Workers get the relay's address instead of the coordinator's. The relay connects to the
// coordinator from 127.0.0.2, so the coordinator takes that for the workers' address. The first
// message of each worker names its ring port; the relay opens the same port there and forwards it
// to the real one at 127.0.0.1.

import RunProcesses
import Foundation
import Rendezvous
import Synchronization
import Transport
import WireFormat

/// Carries the links of a run's workers. Its methods may be called from any thread.
package final class Relay: @unchecked Sendable {
    /// Which link of a worker.
    package enum Link: Sendable {
        /// To the coordinator.
        case control
        /// From the worker before it on the ring.
        case ring
    }

    private struct Request {
        let link: Link
        let worker: Int32
        /// How long nothing is carried before the reset; nil resets at once.
        let cut: Duration?
    }

    private struct Shared {
        var requests: [Request] = []
        /// The open links, by worker.
        var links: [Int32: Set<Bool>] = [:]
        var isStopping = false
    }

    private static let listenerLimit = 256
    private static let apparentHost = "127.0.0.2"

    /// Where workers reach the coordinator.
    package let address: SocketAddress
    private let upstream: @Sendable () -> SocketAddress?
    private let wake: WakeSignal
    private let shared = Mutex(Shared())
    private let hasStopped = DispatchSemaphore(value: 0)

    // Used by the relay's thread alone.
    private let control: Listener
    private var rings: [(worker: Int32, listener: Listener, port: Int)] = []
    private var pairs: [RelayPair] = []
    private var decoders: [ObjectIdentifier: ControlFrameDecoder] = [:]
    private var cutRings: [Int32: ContinuousClock.Instant] = [:]

    /// - Parameter upstream: where the coordinator listens now; nil while there is none.
    package init(upstream: @escaping @Sendable () -> SocketAddress?) throws {
        self.upstream = upstream
        wake = try WakeSignal()
        control = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        address = control.localAddress
    }

    package func start() {
        let thread = Thread { [self] in run() }
        thread.name = "relay"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Closes everything and waits for the thread, a moment at most.
    package func stop() {
        shared.withLock { $0.isStopping = true }
        wake.signal()
        _ = hasStopped.wait(timeout: .now() + 5)
    }

    /// Whether the worker has such a link now.
    package func carries(_ link: Link, of worker: Int32) -> Bool {
        shared.withLock { $0.links[worker]?.contains(link == .ring) ?? false }
    }

    /// Resets a link.
    package func reset(_ link: Link, of worker: Int32) {
        request(Request(link: link, worker: worker, cut: nil))
    }

    /// Makes a link carry nothing for a while, even if it is opened again, and then resets it.
    package func cut(_ link: Link, of worker: Int32, for duration: Duration) {
        request(Request(link: link, worker: worker, cut: duration))
    }

    private func request(_ request: Request) {
        shared.withLock { $0.requests.append(request) }
        wake.signal()
    }

    // MARK: - The thread

    private func run() {
        while !shared.withLock({ $0.isStopping }) {
            for request in takeRequests() { perform(request) }
            endCuts()
            // If poll fails nothing can be carried; the workers find their links closed.
            guard (try? waitAndCarry()) != nil else { break }
            publish()
        }
        for pair in pairs { pair.close() }
        for ring in rings { ring.listener.close() }
        control.close()
        hasStopped.signal()
    }

    private func takeRequests() -> [Request] {
        shared.withLock { shared in
            defer { shared.requests = [] }
            return shared.requests
        }
    }

    private func perform(_ request: Request) {
        let hit = pairs.filter { $0.worker == request.worker && $0.link == request.link }
        if let duration = request.cut {
            let end = ContinuousClock.now + duration
            if request.link == .ring { cutRings[request.worker] = end }
            for pair in hit { pair.cutUntil = end }
        } else {
            for pair in hit { pair.reset() }
            remove(hit)
        }
    }

    private func endCuts() {
        let now = ContinuousClock.now
        cutRings = cutRings.filter { $0.value > now }
        let over = pairs.filter { $0.cutUntil.map { $0 <= now } ?? false }
        for pair in over { pair.reset() }
        remove(over)
    }

    private func remove(_ gone: [RelayPair]) {
        guard !gone.isEmpty else { return }
        let numbers = Set(gone.map { ObjectIdentifier($0) })
        for number in numbers { decoders[number] = nil }
        pairs.removeAll { numbers.contains(ObjectIdentifier($0)) }
    }

    private func publish() {
        var links: [Int32: Set<Bool>] = [:]
        for pair in pairs {
            if let worker = pair.worker { links[worker, default: []].insert(pair.link == .ring) }
        }
        shared.withLock { $0.links = links }
    }

    private func waitAndCarry() throws {
        var poller = Poller()
        let wakeSlot = poller.add(wake.pollDescriptor, .read)
        let controlSlot = poller.add(control.pollDescriptor, .read)
        let ringSlots = rings.map { poller.add($0.listener.pollDescriptor, .read) }
        var slots: [(pair: RelayPair, client: Int, server: Int)] = []
        for pair in pairs where pair.cutUntil == nil {
            slots.append(
                (
                    pair, poller.add(pair.client.pollDescriptor, pair.clientInterest),
                    poller.add(pair.server.pollDescriptor, pair.serverInterest)
                ))
        }
        let cutEnd = pairs.compactMap(\.cutUntil).min() ?? .now + .seconds(1)
        try poller.wait(until: Deadline(cutEnd))
        if !poller.readiness(at: wakeSlot).isEmpty { wake.drain() }
        var gone: [RelayPair] = []
        for (pair, client, server) in slots
        where !poller.readiness(at: client).isEmpty || !poller.readiness(at: server).isEmpty {
            if !carry(pair) {
                pair.close()
                gone.append(pair)
            }
        }
        remove(gone)
        let ready = zip(rings, ringSlots).filter { !poller.readiness(at: $1).isEmpty }.map(\.0)
        for ring in ready { acceptRing(ring.worker, ring.listener, ring.port) }
        if !poller.readiness(at: controlSlot).isEmpty { acceptControl() }
    }

    private func carry(_ pair: RelayPair) -> Bool {
        guard pair.link == .control, pair.worker == nil else { return pair.carry { _ in } }
        let number = ObjectIdentifier(pair)
        return pair.carry { bytes in
            decoders[number, default: ControlFrameDecoder()].append(bytes)
            guard let frame = try? decoders[number]?.next(),
                case .hello(let hello) = try? WorkerMessage(decoding: frame.payload)
            else { return }
            decoders[number] = nil
            pair.worker = hello.processID
            openRing(of: hello.processID, port: hello.dataPort)
        }
    }

    /// Opens a worker's ring port at the address that the coordinator takes for the worker's.
    private func openRing(of worker: Int32, port: Int) {
        for ring in rings where ring.port == port { ring.listener.close() }
        rings.removeAll { $0.port == port }
        if rings.count >= Self.listenerLimit { rings.removeFirst().listener.close() }
        guard let place = try? SocketAddress(host: Self.apparentHost, port: port),
            let listener = try? Listener(place)
        else { return }
        rings.append((worker, listener, port))
    }

    private func acceptControl() {
        guard let client = (try? control.tryAccept()) ?? nil else { return }
        guard let coordinator = upstream(),
            let source = try? SocketAddress(host: Self.apparentHost, port: 0),
            let server = try? Connection.connect(
                to: coordinator, from: source, until: .after(.seconds(1)))
        else { return client.close() }
        pairs.append(RelayPair(.control, client: client, server: server, worker: nil))
    }

    private func acceptRing(_ worker: Int32, _ listener: Listener, _ port: Int) {
        guard let client = (try? listener.tryAccept()) ?? nil else { return }
        guard let place = try? SocketAddress(host: "127.0.0.1", port: port),
            let server = try? Connection.connect(to: place, until: .after(.seconds(1)))
        else { return client.close() }
        let pair = RelayPair(.ring, client: client, server: server, worker: worker)
        pair.cutUntil = cutRings[worker]
        pairs.append(pair)
    }
}
