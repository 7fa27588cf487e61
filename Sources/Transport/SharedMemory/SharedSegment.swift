// Memory that two processes of one host share: a page with positions, and a ring of bytes.
//
// One process makes it and sends the other, over their link, where it is: its process number, a
// descriptor and a random key. The other opens that descriptor through /proc and looks for the key.
// If it finds it, the two are looking at the same memory, which proves more than equal host names
// or boot numbers could; if anything is in the way (another host behind a tunnel, another process
// namespace, another user), it is not found, and the link stays with TCP. That is why no Unix
// socket with SCM_RIGHTS is needed, nor a name anywhere: the memory is an anonymous file (memfd),
// gone with the last process.
//
// The ring is mapped twice in a row, so that every piece of it is one piece of memory.

import CTransport
import Glibc

/// A mapped segment. Its users see to it that each side is used by one thread.
package final class SharedSegment: @unchecked Sendable {
    /// Where another process of this host finds a segment.
    package struct Location: Hashable, Sendable {
        package var processID: UInt32
        package var descriptor: UInt32
        package var firstKey: UInt64
        package var secondKey: UInt64

        package init(
            processID: UInt32, descriptor: UInt32, firstKey: UInt64, secondKey: UInt64
        ) {
            self.processID = processID
            self.descriptor = descriptor
            self.firstKey = firstKey
            self.secondKey = secondKey
        }
    }

    /// Bytes of the ring.
    package static let ringByteCount = 1 << 20
    private static let headerByteCount = Int(getpagesize())

    let header: UnsafeMutablePointer<rondo_ring_header>
    /// The ring, and the ring again.
    package let ring: UnsafeMutableRawPointer
    private let descriptor: Int32

    /// Makes a segment.
    package convenience init() throws(TransportError) {
        try self.init(rondo_segment_create(Self.headerByteCount + Self.ringByteCount))
        var generator = SystemRandomNumberGenerator()
        header.pointee.key = (generator.next(), generator.next())
    }

    /// Opens the segment that another process has made.
    ///
    /// - Throws: when it cannot be reached from here or is another one.
    package convenience init(at location: Location) throws(TransportError) {
        try self.init(
            rondo_segment_open(
                location.processID, location.descriptor, Self.headerByteCount + Self.ringByteCount))
        guard header.pointee.key == (location.firstKey, location.secondKey) else {
            throw TransportError.system(.share, nil, errno: EBADF)
        }
    }

    private init(_ descriptor: Int32) throws(TransportError) {
        guard descriptor >= 0 else {
            throw TransportError.system(.share, nil, errno: -descriptor)
        }
        guard
            let base = rondo_segment_map(descriptor, Self.headerByteCount, Self.ringByteCount)
        else {
            let code = errno
            Glibc.close(descriptor)
            throw TransportError.system(.share, nil, errno: code)
        }
        self.descriptor = descriptor
        header = base.assumingMemoryBound(to: rondo_ring_header.self)
        ring = base + Self.headerByteCount
    }

    deinit {
        rondo_segment_unmap(header, Self.headerByteCount, Self.ringByteCount)
        Glibc.close(descriptor)
    }

    /// Where another process finds the segment while this object lives.
    package var location: Location {
        Location(
            processID: UInt32(getpid()), descriptor: UInt32(descriptor),
            firstKey: header.pointee.key.0, secondKey: header.pointee.key.1)
    }
}
