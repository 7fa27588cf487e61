// Connections that are not workers. Whatever they send, and however many they are, a run in
// progress ends as if they had not been there; each is dropped, and the log says why.

import Foundation
import Rendezvous
import Testing
import Transport
import WireFormat

struct StrangerTests {
    /// Runs `disturb` while two workers are in mid-run; the run must finish.
    private func undisturbed(
        _ settings: CoordinatorSettings = CoordinatorHarness.settings(),
        _ disturb: (CoordinatorHarness) throws -> Void
    ) throws -> [String] {
        let harness = try CoordinatorHarness(settings)
        let goOn = DispatchSemaphore(value: 0)
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, _ in
                guard goOn.wait(timeout: .now() + 30) == .success else {
                    throw Background<Void>.Overdue()
                }
                try client.send(.finished(report()))
                try client.awaitEnd(deadline: .after(patience))
            }
        }
        #expect(harness.delegate.wait { $0.running == [1] })
        defer { for _ in workers { goOn.signal() } }
        try disturb(harness)
        for _ in workers { goOn.signal() }
        for worker in workers { try worker.value() }
        #expect(try harness.outcome() == .finished(report()))
        return harness.delegate.seen.lines.filter { $0.hasPrefix("dropped a connection from ") }
    }

    @Test func randomBytesAreTurnedAway() throws {
        let seed: UInt64 = 4_711
        var generator = SeededGenerator(seed: seed)
        let lines = try undisturbed { harness in
            for _ in 0..<20 {
                let count = Int.random(in: 4...5000, using: &generator)
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let peer = try RawPeer(harness.address)
                // The coordinator may close before all bytes are out: that is its right.
                try? peer.send(bytes)
                #expect(peer.isClosedByPeer(), "seed \(seed)")
            }
        }
        #expect(lines.count == 20, "seed \(seed)")
        #expect(lines.allSatisfy { $0.hasSuffix("the peer is not a Rondo process") })
    }

    @Test func damagedFirstFramesAreTurnedAway() throws {
        let good = try ControlFrame(
            kind: .message, payload: try WorkerMessage.hello(hello(9)).encoded()
        ).encoded()
        var oversize = good
        oversize.replaceSubrange(8..<12, with: [0, 0, 0x20, 0])
        withUnsafeBytes(of: CRC32.checksum(Array(oversize[..<16])).littleEndian) {
            oversize.replaceSubrange(16..<20, with: $0)
        }
        var wrongMagic = good
        wrongMagic[3] = UInt8(ascii: "X")
        var flipped = good
        flipped[30] ^= 1
        let blob = try ControlFrame(kind: .blob, payload: [1, 2, 3]).encoded()
        let notJSON = try ControlFrame(kind: .message, payload: [1, 2, 3]).encoded()
        let notHello = try ControlFrame(
            kind: .message,
            payload: try WorkerMessage.heartbeat(WorkerHeartbeat(step: 1, phase: "a")).encoded()
        ).encoded()
        let lines = try undisturbed { harness in
            for bytes in [oversize, wrongMagic, flipped, blob, notJSON, notHello] {
                let peer = try RawPeer(harness.address)
                try peer.send(bytes)
                #expect(peer.isClosedByPeer())
            }
            // Half a frame, then the end.
            let half = try RawPeer(harness.address)
            try half.send(Array(good[..<(good.count / 2)]))
            half.connection.close()
            #expect(
                harness.delegate.wait { record in
                    record.lines.contains { $0.hasSuffix("it closed without introducing itself") }
                })
        }
        let reasons = [
            "longer than the limit of 1048576", "the peer is not a Rondo process", "is damaged",
            "it sent a file's bytes", "not a control message", "it did not introduce itself",
            "it closed without introducing itself",
        ]
        #expect(lines.count == reasons.count)
        for (line, reason) in zip(lines, reasons) { #expect(line.contains(reason)) }
    }

    @Test func aSilentConnectionIsDroppedAtItsDeadline() throws {
        var settings = CoordinatorHarness.settings()
        settings.handshakeTimeout = .milliseconds(100)
        let lines = try undisturbed(settings) { harness in
            let peer = try RawPeer(harness.address)
            #expect(peer.isClosedByPeer())
        }
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix("it did not introduce itself in time") == true)
    }

    @Test func manySilentConnectionsGiveWayToAWorker() throws {
        var settings = CoordinatorHarness.settings()
        settings.strangerLimit = 4
        settings.handshakeTimeout = patience
        let harness = try CoordinatorHarness(settings)
        let strangers = try (0..<40).map { _ in try RawPeer(harness.address) }
        #expect(
            harness.delegate.wait {
                $0.lines.contains("more unknown connections are dropped without a line each")
            })
        let workers = (0..<2).map { harness.finishingWorker(slot: $0) }
        for worker in workers { try worker.value() }
        #expect(try harness.outcome() == .finished(report()))
        // Twenty lines at most and the last one, however many strangers there were.
        let lines = harness.delegate.seen.lines.filter { $0.contains("connection") }
        #expect(lines.count == 21)
        for stranger in strangers { #expect(stranger.isClosedByPeer()) }
    }
}
