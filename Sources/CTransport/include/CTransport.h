// Memory that two processes share: what Swift's Glibc module does not show (memfd and its seals are
// GNU extensions), and atomic access to memory that another process writes. Everything else of a
// link is Swift.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The two ends of a ring.
typedef enum { RONDO_SENDER = 0, RONDO_RECEIVER = 1 } rondo_ring_side;

/// The first page of a segment. Each side writes to lines of its own, so that a position that moves
/// does not take the other side's line away; two lines each, because processors fetch them in
/// pairs. (Gaps in place of _Alignas, which Swift does not import.)
typedef struct {
    struct {
        /// Bytes that this side has moved through the ring since the start.
        uint64_t position;
        char gap[120];
        /// Whether it sleeps and wants to be woken. Set by this side, cleared by the one that wakes
        /// it.
        uint64_t sleeps;
        char other_gap[120];
    } sides[2];
    /// Shows that two processes look at the same memory; written before the other process learns of
    /// the descriptor.
    uint64_t key[2];
} rondo_ring_header;

/// Makes a descriptor of `byte_count` bytes of memory, reserved and of fixed size; negative: errno.
int rondo_segment_create(size_t byte_count);
/// Opens the memory behind descriptor `descriptor` of process `process`; negative: errno. EBADF
/// unless it is memory of exactly `byte_count` bytes whose size is sealed.
int rondo_segment_open(uint32_t process, uint32_t descriptor, size_t byte_count);
/// Maps the header's page and, behind it, the rest twice in a row, so that any piece of the ring
/// lies in one piece of memory. NULL: errno says why.
void *rondo_segment_map(int descriptor, size_t header_byte_count, size_t ring_byte_count);
void rondo_segment_unmap(void *segment, size_t header_byte_count, size_t ring_byte_count);

/// Copies to a ring past the caches where the processor can; the copy may be published right
/// afterwards.
void rondo_ring_stream(void *destination, const void *source, size_t byte_count);

static inline uint64_t rondo_ring_position(const rondo_ring_header *header, rondo_ring_side side) {
    return __atomic_load_n(&header->sides[side].position, __ATOMIC_ACQUIRE);
}

/// A process that sees the position also sees what was written to the ring, or read from it, before
/// the call.
static inline void rondo_ring_publish(rondo_ring_header *header, rondo_ring_side side,
                                      uint64_t position) {
    __atomic_store_n(&header->sides[side].position, position, __ATOMIC_RELEASE);
}

/// Announces that this side is about to sleep. The fences here and in `rondo_ring_must_wake` see to
/// it that either this side sees the other's last position or the other sees the announcement.
static inline void rondo_ring_announce_sleep(rondo_ring_header *header, rondo_ring_side side) {
    __atomic_store_n(&header->sides[side].sleeps, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// Called after a publication: whether the caller has to wake that side.
static inline bool rondo_ring_must_wake(rondo_ring_header *header, rondo_ring_side side) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&header->sides[side].sleeps, __ATOMIC_RELAXED) != 0 &&
           __atomic_exchange_n(&header->sides[side].sleeps, 0, __ATOMIC_SEQ_CST) != 0;
}

/// Takes the announcement back; false when a wake-up is on its way already.
static inline bool rondo_ring_withdraw_sleep(rondo_ring_header *header, rondo_ring_side side) {
    return __atomic_exchange_n(&header->sides[side].sleeps, 0, __ATOMIC_SEQ_CST) != 0;
}

// cores.c: the cores of the calling thread, and of what it starts (C because Swift's Glibc module
// leaves these calls out)

/// Bit i of byte i / 8 stands for core i.
typedef struct {
    unsigned char bytes[128];
} rondo_core_set;
int rondo_get_cores(rondo_core_set *set);       // 0, or -1 with errno
int rondo_set_cores(const rondo_core_set *set); // 0, or -1 with errno
