// Runs a schedule over the two links: one thread, one loop.
//
// Each turn tries to send and to receive; when neither moves a byte, the thread spins for some
// microseconds if it may, and then sleeps in poll(2) on exactly what could help. A segment is one
// frame; what arrives of it is added at once, and when it is complete it can be sent on while the
// next one arrives (cut-through), so receiving, adding and sending overlap. Header and payload
// leave in one system call and are taken in by one: the receiver knows from the schedule what comes
// next and where it belongs, and checks the header against that afterwards. A wrong frame may thus
// have overwritten the output, but the call then fails and the output is undefined.
//
// Receiving never waits for sending: there is always room for the next segment. So every worker
// drains its incoming link whatever its outgoing link does, and the ring cannot lock up.
//
// Bytes that are to be added go from the link, or from a scratch segment, together with the
// replicas into the output. In place the output holds the first replica. A first segment that sums
// several replicas is formed in another scratch segment, because its place in the output may still
// hold a replica.

import Synchronization
import Transport
import WireFormat

/// The state of one group's links. Used by one thread at a time.
final class RingEngine {
    /// After moving this much, a link that had nothing to do is tried again before waiting. Below
    /// it the try would mostly be wasted, and short messages are a matter of counting system calls.
    private static let longTransferByteCount = 16 << 10
    /// How long a wait spins before it sleeps: about as long as it takes to sleep and be woken.
    /// Over shared memory, two workers that spin sum 4 KB in 1.4 us, two that sleep in 17 us and
    /// more.
    private static let spinDuration = Duration.microseconds(20)

    let previous: any IncomingLink
    let next: any OutgoingLink
    let wake: WakeSignal
    /// How long nothing may move; milliseconds, because it may be set while a call is under way.
    private let timeoutMilliseconds: Atomic<Int>
    var timeout: Duration {
        get { .milliseconds(timeoutMilliseconds.load(ordering: .relaxed)) }
        set { timeoutMilliseconds.store(Self.milliseconds(newValue), ordering: .relaxed) }
    }
    let segmentByteCount: Int
    let generation: UInt32
    let add: AddFunction
    /// Whether a wait may begin by spinning; may be set while a call is under way.
    let maySpin = Atomic<Bool>(false)
    /// Consecutive spins without success, and how many waits skip spinning because of them: where
    /// other processes keep the cores busy, spinning does not make the neighbour answer sooner.
    private var failedSpinCount = 0
    private var spinsToSkip = 0
    private static let failedSpinLimit = 4

    /// Payload bytes handed to the next worker since the start.
    private(set) var payloadBytesSent: UInt64 = 0

    private static func milliseconds(_ duration: Duration) -> Int {
        max(1, Int((duration / .milliseconds(1)).rounded(.up)))
    }

    private let sendHeader: UnsafeMutableRawBufferPointer
    let receiveHeader: UnsafeMutableRawBufferPointer
    private let sendScratch: UnsafeMutableRawPointer
    let receiveScratch: UnsafeMutableRawPointer
    private var poller = Poller()

    // The call under way. Cursors count whole transfers of the schedule, segments of the current
    // transfer, and bytes (header first) of the current frame.
    var call = RingCall(operation: .barrier)
    var schedule = RingSchedule(sends: [], receives: [])
    private var sendIndex = 0
    private var sendSegment = 0
    private var sentByteCount = 0
    /// The frame being sent; nil when the next one has not been prepared.
    private var sendPayload: UnsafeRawBufferPointer?
    var receiveIndex = 0
    var receiveSegment = 0
    var receivedByteCount = 0
    /// Payload bytes of the current frame that have been added.
    var addedByteCount = 0
    /// Where the frame being received goes; nil when that has not been worked out.
    var receivePayload: UnsafeMutableRawBufferPointer?

    init(
        previous: any IncomingLink, next: any OutgoingLink, wake: WakeSignal, timeout: Duration,
        segmentByteCount: Int, generation: UInt32, add: @escaping AddFunction
    ) {
        self.previous = previous
        self.next = next
        self.wake = wake
        timeoutMilliseconds = Atomic(Self.milliseconds(timeout))
        self.segmentByteCount = segmentByteCount
        self.generation = generation
        self.add = add
        sendHeader = .allocate(byteCount: FrameHeader.byteCount, alignment: 16)
        receiveHeader = .allocate(byteCount: FrameHeader.byteCount, alignment: 16)
        sendScratch = .allocate(byteCount: segmentByteCount, alignment: 64)
        receiveScratch = .allocate(byteCount: segmentByteCount, alignment: 64)
    }

    deinit {
        sendHeader.deallocate()
        receiveHeader.deallocate()
        sendScratch.deallocate()
        receiveScratch.deallocate()
    }

    /// Runs one collective to its end.
    ///
    /// - Throws: the cause and whether the previous or the next worker is concerned; the links are
    ///   then in the middle of a frame and of no use any more.
    func run(_ call: RingCall, _ schedule: RingSchedule) throws(RingFailure) {
        self.call = call
        self.schedule = schedule
        sendIndex = 0
        sendSegment = 0
        receiveIndex = 0
        receiveSegment = 0
        // The call's pointers belong to the caller and must not be kept.
        defer {
            self.call.inputs = []
            self.call.output = nil
            self.call.borders = []
            self.call.addition = nil
        }
        var deadline: Deadline?
        var isSendBlocked = false
        var isReceiveBlocked = false
        var spinEnd: ContinuousClock.Instant?
        while true {
            var sent = 0
            var received = 0
            if !isSendBlocked, prepareSend() {
                sent = try sendSome()
                isSendBlocked = sent == 0
            }
            if !isReceiveBlocked, prepareReceive() {
                received = try receiveSome()
                isReceiveBlocked = received == 0
            }
            if sent > 0 || received > 0 {
                deadline = nil
                if spinEnd != nil {
                    spinEnd = nil
                    failedSpinCount = 0
                }
                // A long transfer took long enough for the other link to have become ready.
                if sent >= Self.longTransferByteCount { isReceiveBlocked = false }
                if received >= Self.longTransferByteCount { isSendBlocked = false }
                continue
            }
            let isReceiving = receiveIndex < schedule.receives.count
            let isSending = sendIndex < schedule.sends.count
            guard isReceiving || isSending else { return }
            isSendBlocked = false
            isReceiveBlocked = false
            if continuesSpin(&spinEnd) { continue }
            let limit = deadline ?? .after(timeout)
            deadline = limit
            try wait(
                isReceiving: isReceiving, isSending: isSending, canSend: prepareSend(),
                until: limit)
        }
    }

    /// Whether to spin on instead of sleeping.
    private func continuesSpin(_ end: inout ContinuousClock.Instant?) -> Bool {
        guard maySpin.load(ordering: .relaxed) else { return false }
        if let current = end {
            if ContinuousClock.now < current { return true }
            failedSpinCount = min(failedSpinCount + 1, Self.failedSpinLimit)
            spinsToSkip = 1 << failedSpinCount
            end = nil
        }
        if spinsToSkip > 0 {
            spinsToSkip -= 1
            return false
        }
        end = ContinuousClock.now + Self.spinDuration
        return true
    }

    /// Sleeps until a link can move bytes again.
    private func wait(
        isReceiving: Bool, isSending: Bool, canSend: Bool, until deadline: Deadline
    ) throws(RingFailure) {
        // Checked here too, for wake-ups again and again without a byte moving.
        if deadline.hasPassed {
            throw RingFailure(.stalled(timeout: timeout), canSend ? .next : .previous)
        }
        poller.removeAll()
        let wakeSlot = poller.add(wake.pollDescriptor, .read)
        if isReceiving { poller.add(previous.pollDescriptor, previous.receiveInterest) }
        // A worker that still has to be sent something must not close: its end is noticed now and
        // not when the data for it arrives, which may be never.
        let nextSlot =
            isSending
            ? poller.add(next.pollDescriptor, canSend ? next.sendInterest : .peerClosed) : nil
        var mustWait = true
        if isReceiving {
            mustWait = try onLink(.previous) { () throws(TransportError) in
                try previous.announceReceiveWait()
            }
        }
        if canSend {
            let isFull = try onLink(.next) { () throws(TransportError) in
                try next.announceSendWait()
            }
            mustWait = mustWait && isFull
        }
        let readyCount =
            mustWait
            ? try onLink(.none) { () throws(TransportError) in try poller.wait(until: deadline) }
            : 0
        if isReceiving {
            try onLink(.previous) { () throws(TransportError) in
                try previous.endReceiveWait(hasWaited: mustWait)
            }
        }
        if canSend {
            try onLink(.next) { () throws(TransportError) in
                try next.endSendWait(hasWaited: mustWait)
            }
        }
        guard mustWait else { return }
        if readyCount == 0 {
            // The next worker drains its link whatever happens to it, as long as it lives; so when
            // sending is stuck, it is the one to blame.
            throw RingFailure(.stalled(timeout: timeout), canSend ? .next : .previous)
        }
        if poller.readiness(at: wakeSlot).contains(.read) {
            throw RingFailure(.shutDown, .none)
        }
        if let nextSlot, !canSend, !poller.readiness(at: nextSlot).isDisjoint(with: .ended) {
            throw RingFailure(.closed, .next)
        }
    }

    // MARK: - Sending

    /// Makes the next frame ready if its bytes are there.
    @inline(__always)
    private func prepareSend() -> Bool {
        if sendPayload != nil { return true }
        while sendIndex < schedule.sends.count {
            let send = schedule.sends[sendIndex]
            let blockByteCount = call.byteCount(ofBlock: send.chunk)
            if blockByteCount == 0, !call.sendsEmptyBlocks {
                sendIndex += 1
                continue
            }
            if case .received(let index) = send.source {
                let isThere =
                    receiveIndex > index || (receiveIndex == index && receiveSegment > sendSegment)
                guard isThere else { return false }
            }
            prepareFrame(send, blockByteCount)
            return true
        }
        return false
    }

    private func prepareFrame(_ send: RingSchedule.Send, _ blockByteCount: Int) {
        let start = sendSegment * segmentByteCount
        let byteCount = min(segmentByteCount, blockByteCount - start)
        let offset = call.borders[send.chunk] + start
        if byteCount == 0 {
            sendPayload = UnsafeRawBufferPointer(start: nil, count: 0)
        } else if case .replicas(let replicas) = send.source {
            let source: UnsafeRawPointer
            if replicas.count == 1 {
                source = UnsafeRawPointer(call.inputs[replicas.lowerBound]) + offset
            } else {
                sumReplicas(
                    call.inputs, replicas, offset: offset, byteCount: byteCount, into: sendScratch,
                    add: call.addition ?? add)
                source = UnsafeRawPointer(sendScratch)
            }
            sendPayload = UnsafeRawBufferPointer(start: source, count: byteCount)
        } else {
            sendPayload = UnsafeRawBufferPointer(
                start: call.output.map { UnsafeRawPointer($0) + offset }, count: byteCount)
        }
        sentByteCount = 0
        header(send.phase, hop: send.hop, chunk: send.chunk, segment: sendSegment, byteCount)
            .encode(into: sendHeader)
    }

    /// Sends as much of the prepared frame as fits and returns how much that was.
    private func sendSome() throws(RingFailure) -> Int {
        guard let payload = sendPayload else { return 0 }
        let headerPart = UnsafeRawBufferPointer(
            rebasing: sendHeader[min(sentByteCount, FrameHeader.byteCount)...])
        let payloadPart = UnsafeRawBufferPointer(
            rebasing: payload[max(0, sentByteCount - FrameHeader.byteCount)...])
        let result = try onLink(.next) { () throws(TransportError) in
            try next.trySend(headerPart, payloadPart)
        }
        let moved: Int
        switch result {
        case .wouldBlock: return 0
        case .closed: throw RingFailure(.closed, .next)
        case .transferred(let count): moved = count
        }
        sentByteCount += moved
        if sentByteCount == FrameHeader.byteCount + payload.count {
            payloadBytesSent += UInt64(payload.count)
            sendPayload = nil
            sendSegment += 1
            if sendSegment * segmentByteCount
                >= call.byteCount(
                    ofBlock: schedule.sends[sendIndex].chunk)
            {
                sendIndex += 1
                sendSegment = 0
            }
        }
        return moved
    }

    @inline(__always)
    func header(
        _ phase: FrameHeader.Phase, hop: Int, chunk: Int, segment: Int, _ byteCount: Int
    ) -> FrameHeader {
        FrameHeader(
            phase: phase, hop: UInt32(hop), generation: generation, step: call.step,
            bucket: call.bucket, chunk: UInt32(chunk), segment: UInt32(segment),
            payloadByteCount: UInt32(byteCount))
    }
}
