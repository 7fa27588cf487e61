// The receiving half of RingEngine: where the next frame goes, its check against the schedule, and
// the addition of what has arrived of it.
//
// Bytes to be added are added out of the link's own memory where the link shows it, and else out of
// a scratch segment that stays in the L2 cache: either way each float of the output is written
// once. Addition of two floats commutes bit for bit, so the partial sum may come first or second.

import Transport
import WireFormat

extension RingEngine {
    /// Works out where the next frame goes; false when nothing is left to receive.
    @inline(__always)
    func prepareReceive() -> Bool {
        if receivePayload != nil { return true }
        while receiveIndex < schedule.receives.count {
            let receive = schedule.receives[receiveIndex]
            let blockByteCount = call.byteCount(ofBlock: receive.chunk)
            if blockByteCount == 0, !call.sendsEmptyBlocks {
                receiveIndex += 1
                continue
            }
            let start = receiveSegment * segmentByteCount
            let byteCount = min(segmentByteCount, blockByteCount - start)
            let destination =
                receive.phase == .reduce
                ? receiveScratch : call.output.map { $0 + call.borders[receive.chunk] + start }
            receivePayload = UnsafeMutableRawBufferPointer(
                start: byteCount == 0 ? nil : destination, count: byteCount)
            receivedByteCount = 0
            addedByteCount = 0
            return true
        }
        return false
    }

    /// Receives as much of the current frame as there is and returns how much that was.
    func receiveSome() throws(RingFailure) -> Int {
        guard let payload = receivePayload else { return 0 }
        var moved = try addWhereItLies(payload)
        if moved == 0 { moved = try receiveCopy(payload) }
        if receivedByteCount == FrameHeader.byteCount + payload.count { finishSegment() }
        return moved
    }

    private func receiveCopy(
        _ payload: UnsafeMutableRawBufferPointer
    ) throws(RingFailure) -> Int {
        let headerPart = UnsafeMutableRawBufferPointer(
            rebasing: receiveHeader[min(receivedByteCount, FrameHeader.byteCount)...])
        let payloadPart = UnsafeMutableRawBufferPointer(
            rebasing: payload[max(0, receivedByteCount - FrameHeader.byteCount)...])
        let result = try onLink(.previous) { () throws(TransportError) in
            try previous.tryReceive(headerPart, payloadPart)
        }
        let before = receivedByteCount
        let moved: Int
        switch result {
        case .wouldBlock: return 0
        case .closed: throw RingFailure(.closed, .previous)
        case .transferred(let count): moved = count
        }
        receivedByteCount += moved
        if before < FrameHeader.byteCount, receivedByteCount >= FrameHeader.byteCount {
            try checkHeader(payload.count)
        }
        addCopied(payload)
        return moved
    }

    private func checkHeader(_ byteCount: Int) throws(RingFailure) {
        let receive = schedule.receives[receiveIndex]
        let expected = header(
            receive.phase, hop: receive.hop, chunk: receive.chunk, segment: receiveSegment,
            byteCount)
        let got: FrameHeader
        do {
            got = try FrameHeader(decoding: UnsafeRawBufferPointer(receiveHeader))
        } catch {
            throw RingFailure(.malformedFrame(error), .previous)
        }
        guard got == expected else {
            throw RingFailure(got.firstDifference(from: expected), .previous)
        }
    }

    /// Adds what lies in the link's memory, if this frame is to be added and the link shows its
    /// memory. Frames of other collectives may have left the floats at odd addresses, or the first
    /// bytes of a float are in the scratch segment already: such pieces go the other way.
    private func addWhereItLies(
        _ payload: UnsafeMutableRawBufferPointer
    ) throws(RingFailure) -> Int {
        guard schedule.receives[receiveIndex].phase == .reduce,
            receivedByteCount == 0
                || receivedByteCount == FrameHeader.byteCount + addedByteCount,
            var arrived = try onLink(
                .previous, { () throws(TransportError) in try previous.arrived() })
        else { return 0 }
        var moved = 0
        if receivedByteCount == 0 {
            guard arrived.count >= FrameHeader.byteCount else { return 0 }
            // A copy is checked: the peer may still write to the original.
            receiveHeader.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: arrived[..<FrameHeader.byteCount]))
            try checkHeader(payload.count)
            moved = FrameHeader.byteCount
            arrived = UnsafeRawBufferPointer(rebasing: arrived[FrameHeader.byteCount...])
        }
        let floatByteCount = MemoryLayout<Float>.size
        let byteCount =
            min(arrived.count, payload.count - addedByteCount) / floatByteCount * floatByteCount
        if byteCount > 0, let start = arrived.baseAddress,
            Int(bitPattern: start) % MemoryLayout<Float>.alignment == 0
        {
            addToOutput(start, byteCount: byteCount)
            moved += byteCount
        }
        receivedByteCount += moved
        if moved > 0 {
            try onLink(.previous) { () throws(TransportError) in try previous.consume(moved) }
        }
        return moved
    }

    /// Adds the whole floats that have been copied since the last time: at once, not at the end of
    /// the segment, while the kernel's copy of them is still in the nearest cache.
    private func addCopied(_ payload: UnsafeMutableRawBufferPointer) {
        let floatByteCount = MemoryLayout<Float>.size
        let end = (receivedByteCount - FrameHeader.byteCount) / floatByteCount * floatByteCount
        guard schedule.receives[receiveIndex].phase == .reduce, end > addedByteCount,
            let start = payload.baseAddress
        else { return }
        addToOutput(UnsafeRawPointer(start) + addedByteCount, byteCount: end - addedByteCount)
    }

    /// Adds the replicas to the next floats of the frame and puts the sums into the output. In
    /// place the output is the first of the replicas.
    private func addToOutput(_ received: UnsafeRawPointer, byteCount: Int) {
        guard let output = call.output else { return }
        let receive = schedule.receives[receiveIndex]
        let offset =
            call.borders[receive.chunk] + receiveSegment * segmentByteCount + addedByteCount
        sumReplicas(
            startingFrom: received, call.inputs, receive.addends, offset: offset,
            byteCount: byteCount, into: output + offset, add: call.addition ?? add)
        addedByteCount += byteCount
    }

    private func finishSegment() {
        receivePayload = nil
        receiveSegment += 1
        let blockByteCount = call.byteCount(ofBlock: schedule.receives[receiveIndex].chunk)
        if receiveSegment * segmentByteCount >= blockByteCount {
            receiveIndex += 1
            receiveSegment = 0
        }
    }
}
