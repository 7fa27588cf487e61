#include "CTransport.h"
#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

void rondo_ring_stream(void *destination, const void *source, size_t byte_count) {
    char *to = destination;
    const char *from = source;
#if defined(__x86_64__)
    size_t head = -(uintptr_t)to & 63;
    if (byte_count >= head + 64) {
        memcpy(to, from, head);
        to += head, from += head, byte_count -= head;
        // A whole line at a time, which leaves the processor's write buffer as one transfer.
        for (; byte_count >= 64; to += 64, from += 64, byte_count -= 64) {
            const __m128i *line = (const __m128i *)from;
            __m128i a = _mm_loadu_si128(line), b = _mm_loadu_si128(line + 1);
            __m128i c = _mm_loadu_si128(line + 2), d = _mm_loadu_si128(line + 3);
            _mm_stream_si128((__m128i *)to, a);
            _mm_stream_si128((__m128i *)to + 1, b);
            _mm_stream_si128((__m128i *)to + 2, c);
            _mm_stream_si128((__m128i *)to + 3, d);
        }
        // These stores keep no order with others: they end before the position that announces them.
        _mm_sfence();
    }
#endif
    memcpy(to, from, byte_count);
}
