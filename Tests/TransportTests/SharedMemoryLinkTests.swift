// A link through shared memory, also with a peer that writes anything into it.

import Foundation
import Glibc
import Testing
import Transport

@Suite struct SharedMemoryLinkTests {
    private static let pageByteCount = Int(getpagesize())
    /// Where the positions of sender and receiver lie in a segment.
    private static let senderPosition = 0
    private static let receiverPosition = 256

    private struct Pair {
        let sender: SharedMemorySender
        let receiver: SharedMemoryReceiver
        let segment: SharedSegment
        let connections: (Connection, Connection)
    }

    private func pair() throws -> Pair {
        let connections = try connectedPair()
        let segment = try SharedSegment()
        return Pair(
            sender: SharedMemorySender(segment: segment, bell: connections.0),
            receiver: SharedMemoryReceiver(
                segment: try SharedSegment(at: segment.location), bell: connections.1),
            segment: segment, connections: connections)
    }

    /// The segment as a peer that keeps to no rule has it.
    private func withRawPage(
        of segment: SharedSegment, _ body: (UnsafeMutableRawPointer) throws -> Void
    ) throws {
        let page = try #require(
            mmap(
                nil, Self.pageByteCount, PROT_READ | PROT_WRITE, MAP_SHARED,
                Int32(segment.location.descriptor), 0))
        try #require(page != MAP_FAILED)
        defer { munmap(page, Self.pageByteCount) }
        try body(page)
    }

    private func send(_ bytes: [UInt8], _ link: SharedMemorySender) throws -> TransferResult {
        try bytes.withUnsafeBytes {
            try link.trySend($0, UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    private func receive(
        _ count: Int, _ link: SharedMemoryReceiver
    ) throws -> (TransferResult, [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = try bytes.withUnsafeMutableBytes {
            try link.tryReceive($0, UnsafeMutableRawBufferPointer(start: nil, count: 0))
        }
        return (result, bytes)
    }

    /// Both sides sleep and wake each other again and again, over many rounds of the ring.
    @Test func everyByteArrivesInOrder() throws {
        let pair = try pair()
        let total = 5 * SharedSegment.ringByteCount + 12_345
        @Sendable func byte(_ position: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: position &* 31 >> 3)
        }
        let sent = DispatchSemaphore(value: 0)
        Thread {
            defer { sent.signal() }
            var position = 0
            while position < total {
                let count = min(total - position, 1 + (position &* 7919) % 150_000)
                let piece = (position..<position + count).map(byte)
                do {
                    switch try send(piece, pair.sender) {
                    case .transferred(let moved): position += moved
                    case .closed: return
                    case .wouldBlock:
                        let mustWait = try pair.sender.announceSendWait()
                        var poller = Poller()
                        poller.add(pair.sender.pollDescriptor, pair.sender.sendInterest)
                        if mustWait { try poller.wait(until: .after(.seconds(20))) }
                        try pair.sender.endSendWait(hasWaited: mustWait)
                    }
                } catch { return }
            }
        }.start()
        var position = 0
        while position < total {
            let (result, bytes) = try receive(1 + (position &* 104_729) % 90_000, pair.receiver)
            switch result {
            case .transferred(let moved):
                #expect(bytes[..<moved].elementsEqual((position..<position + moved).map(byte)))
                position += moved
            case .closed:
                Issue.record("closed at \(position)")
                return
            case .wouldBlock:
                let mustWait = try pair.receiver.announceReceiveWait()
                var poller = Poller()
                poller.add(pair.receiver.pollDescriptor, pair.receiver.receiveInterest)
                if mustWait {
                    try #require(try poller.wait(until: .after(.seconds(20))) > 0, "no wake-up")
                }
                try pair.receiver.endReceiveWait(hasWaited: mustWait)
            }
        }
        sent.wait()
    }

    @Test func whatWasWrittenBeforeTheEndStillArrives() throws {
        let pair = try pair()
        #expect(try send([1, 2, 3], pair.sender) == .transferred(3))
        pair.sender.close()
        #expect(try send([4], pair.sender) == .closed)
        var poller = Poller()
        poller.add(pair.receiver.pollDescriptor, .read)
        #expect(try poller.wait(until: .after(.seconds(10))) == 1)
        _ = try pair.receiver.announceReceiveWait()
        try pair.receiver.endReceiveWait(hasWaited: true)
        let (result, bytes) = try receive(9, pair.receiver)
        #expect(result == .transferred(3) && bytes.prefix(3) == [1, 2, 3])
        #expect(try receive(9, pair.receiver).0 == .closed)
    }

    @Test func aSenderNoticesThatTheReceiverEnded() throws {
        let pair = try pair()
        pair.receiver.shutdown()
        var poller = Poller()
        poller.add(pair.sender.pollDescriptor, pair.sender.sendInterest)
        #expect(try poller.wait(until: .after(.seconds(10))) == 1)
        try pair.sender.endSendWait(hasWaited: true)
        #expect(try send([1], pair.sender) == .closed)
    }

    @Test func impossiblePositionsAreErrors() throws {
        let beyond = UInt64(SharedSegment.ringByteCount) + 1
        for value in [beyond, .max, 1 << 63, 1 << 32] as [UInt64] {
            let pair = try pair()
            try withRawPage(of: pair.segment) { page in
                page.storeBytes(of: value, toByteOffset: Self.senderPosition, as: UInt64.self)
                page.storeBytes(
                    of: 0 &- value, toByteOffset: Self.receiverPosition, as: UInt64.self)
            }
            #expect(code { _ = try pair.receiver.arrived() } == .corrupted)
            #expect(code { _ = try receive(10, pair.receiver) } == .corrupted)
            #expect(code { _ = try pair.receiver.announceReceiveWait() } == .corrupted)
            #expect(code { _ = try send([1], pair.sender) } == .corrupted)
            #expect(code { _ = try pair.sender.announceSendWait() } == .corrupted)
        }
    }

    /// Whatever a peer writes, at whatever moment: a transfer, a wait or a typed error.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func noiseInTheHeaderNeverTraps(seed: UInt64) throws {
        let pair = try pair()
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 20
        }
        try withRawPage(of: pair.segment) { page in
            for _ in 0..<2000 {
                let place = [0, 128, 256, 384, 8 * Int(random() % 60)][Int(random() % 5)]
                let value = random() % 3 == 0 ? random() << 24 : random() % 1_200_000
                page.storeBytes(of: value, toByteOffset: place, as: UInt64.self)
                for action in 0..<4 {
                    let found = code {
                        switch action {
                        case 0: _ = try send([UInt8](repeating: 7, count: 3000), pair.sender)
                        case 1: _ = try receive(1 + Int(random() % 5000), pair.receiver)
                        case 2:
                            if let arrived = try pair.receiver.arrived() {
                                // Between the look and the taking.
                                page.storeBytes(of: random(), toByteOffset: 0, as: UInt64.self)
                                try pair.receiver.consume(arrived.count)
                            }
                        default:
                            _ = try pair.receiver.announceReceiveWait()
                            try pair.receiver.endReceiveWait(hasWaited: false)
                        }
                    }
                    #expect(found == nil || found == .corrupted, "seed \(seed)")
                }
            }
        }
    }

    @Test func onlyTheMemoryThatIsMeantIsOpened() throws {
        let segment = try SharedSegment()
        #expect(throws: Never.self) { try SharedSegment(at: segment.location) }
        var otherKey = segment.location
        otherKey.secondKey ^= 1
        var otherProcess = segment.location
        otherProcess.processID = 0x7FFF_FFFF
        var places = [otherKey, otherProcess]
        let wake = try WakeSignal()
        let file = open("/proc/self/exe", O_RDONLY)
        let device = open("/dev/zero", O_RDWR)
        defer {
            close(file)
            close(device)
        }
        for descriptor in [wake.pollDescriptor, file, device, 100_000] {
            var place = segment.location
            place.descriptor = UInt32(descriptor)
            places.append(place)
        }
        for place in places {
            #expect(throws: TransportError.self, "\(place)") { try SharedSegment(at: place) }
        }
    }

    @Test func theErrorReadsWell() {
        #expect(
            TransportError(code: .corrupted, operation: .receive).description
                == "cannot receive from: the positions in the shared memory are impossible")
    }
}
