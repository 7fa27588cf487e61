// Sockets over loopback: transfers of any size, and every way in which a peer can fail.

import Foundation
import Testing
import Transport

/// Both ends of a connection over loopback.
func connectedPair() throws -> (Connection, Connection) {
    let listener = try Listener(.parse("127.0.0.1:0"))
    let deadline = Deadline.after(.seconds(10))
    let first = try Connection.connect(to: listener.localAddress, until: deadline)
    return (first, try listener.accept(until: deadline))
}

func code(_ body: () throws -> Void) -> TransportError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? TransportError)?.code
    }
}

@Suite struct ConnectionTests {
    private let deadline = Deadline.after(.seconds(20))

    @Test func addressesMatchOnBothEnds() throws {
        let (first, second) = try connectedPair()
        #expect(first.localAddress == second.remoteAddress)
        #expect(first.remoteAddress == second.localAddress)
        #expect(first.remoteAddress.port > 0)
    }

    @Test func aLargeTransferPassesInPieces() throws {
        let (first, second) = try connectedPair()
        // More than the kernel's buffers hold, so that both sides meet partial transfers and waits.
        let bytes = (0..<(24 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let deadline = deadline
        let thread = Thread {
            try? first.sendAll(bytes, until: deadline)
            first.close()
        }
        thread.start()
        #expect(try second.receiveExactly(bytes.count, until: deadline) == bytes)
        #expect(code { _ = try second.receiveExactly(1, until: deadline) } == .closed)
    }

    @Test func twoBuffersGoAndComeInOneCall() throws {
        let (first, second) = try connectedPair()
        let header = Array("head".utf8)
        let body = Array("payload".utf8)
        let sent = try header.withUnsafeBytes { header in
            try body.withUnsafeBytes { try first.trySend(header, $0) }
        }
        #expect(sent == .transferred(11))
        var one = [UInt8](repeating: 0, count: 6)
        var other = [UInt8](repeating: 0, count: 9)
        var poller = Poller()
        poller.add(second.pollDescriptor, .read)
        #expect(try poller.wait(until: deadline) == 1)
        let got = try one.withUnsafeMutableBytes { one in
            try other.withUnsafeMutableBytes { try second.tryReceive(one, $0) }
        }
        #expect(got == .transferred(11))
        #expect(one == Array("headpa".utf8) && other.prefix(5) == ArraySlice("yload".utf8))
    }

    @Test func nothingToReceiveIsAValueAndAWaitHasADeadline() throws {
        let (first, second) = try connectedPair()
        var byte: [UInt8] = [0]
        let result = try byte.withUnsafeMutableBytes { try second.tryReceive($0) }
        #expect(result == .wouldBlock)
        #expect(
            code { _ = try second.receiveExactly(1, until: .after(.milliseconds(1))) } == .timedOut)
        // No process reads: the buffers fill up and the sender's deadline passes.
        let flood = [UInt8](repeating: 1, count: 64 << 20)
        #expect(code { try first.sendAll(flood, until: .after(.milliseconds(50))) } == .timedOut)
    }

    @Test func aClosedPeerIsAnErrorAndNoSignal() throws {
        let (first, second) = try connectedPair()
        second.close()
        second.close()
        #expect(code { _ = try first.receiveExactly(1, until: deadline) } == .closed)
        let bytes = [UInt8](repeating: 0, count: 1 << 20)
        #expect(code { while true { try first.sendAll(bytes, until: deadline) } } == .closed)
        #expect(code { _ = try second.receiveExactly(1, until: deadline) } == .closed)
        #expect(code { try second.sendAll(bytes, until: deadline) } == .closed)
    }

    @Test func shutdownFromAnotherThreadWakesAWait() throws {
        let (first, second) = try connectedPair()
        Thread { first.shutdown() }.start()
        #expect(code { _ = try first.receiveExactly(1, until: deadline) } == .closed)
        #expect(code { _ = try second.receiveExactly(1, until: deadline) } == .closed)
        first.close()
        first.shutdown()
    }

    @Test func refusalsAndPortsInUseAreNamed() throws {
        let listener = try Listener(.parse("127.0.0.1:0"))
        let address = listener.localAddress
        do {
            _ = try Listener(address)
            Issue.record("one port was bound twice")
        } catch {
            #expect(error.code == .addressInUse)
            #expect(
                error.description == "cannot listen on \(address): the port is in use; "
                    + "choose another one, or 0 for any free port")
        }
        listener.close()
        do {
            _ = try Connection.connect(to: address, until: deadline)
            Issue.record("connected to a closed port")
        } catch {
            #expect(error.code == .refused)
            #expect(
                error.description == "cannot connect to \(address): connection refused; "
                    + "is the process there running and listening?")
        }
        #expect(code { _ = try listener.tryAccept() } == .shutDown)
    }

    @Test func acceptHasADeadline() throws {
        let listener = try Listener(.parse("127.0.0.1:0"))
        #expect(try listener.tryAccept() == nil)
        #expect(code { _ = try listener.accept(until: .after(.milliseconds(1))) } == .timedOut)
    }

    @Test func descriptorsAreGivenBack() throws {
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        for _ in 0..<200 { _ = try connectedPair() }
        for _ in 0..<200 { _ = try WakeSignal() }
        let after = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        // Other tests of this process hold some meanwhile; a leak would show 400 and more.
        #expect(after - before < 200)
    }
}

@Suite struct PollerTests {
    @Test func wakeSignalsInterruptAWait() throws {
        let wake = try WakeSignal()
        var poller = Poller()
        let slot = poller.add(wake.pollDescriptor, .read)
        #expect(try poller.wait(until: .after(.milliseconds(1))) == 0)
        #expect(poller.readiness(at: slot).isEmpty)
        Thread { wake.signal() }.start()
        #expect(try poller.wait(until: .after(.seconds(20))) == 1)
        #expect(poller.readiness(at: slot).contains(.read))
        for _ in 0..<100_000 { wake.signal() }
        wake.drain()
        #expect(try poller.wait(until: .after(.milliseconds(1))) == 0)
    }

    @Test func aPeersEndIsSeenWithoutReading() throws {
        let (first, second) = try connectedPair()
        var poller = Poller()
        let slot = poller.add(first.pollDescriptor, .peerClosed)
        #expect(try poller.wait(until: .after(.milliseconds(1))) == 0)
        second.close()
        #expect(try poller.wait(until: .after(.seconds(20))) == 1)
        #expect(poller.readiness(at: slot).contains(.peerClosed))
    }
}
