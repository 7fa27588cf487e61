// Included once per vector width (PRODUCT_WIDTH floats) by the own products: their vectors, and how
// large a tile of sums the registers hold.
//
// The loops over a tile must be unrolled completely, or the sums live in memory.
#include "product_block.h"

#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vector __attribute__((ext_vector_type(PRODUCT_WIDTH)));
typedef float loose_vector __attribute__((ext_vector_type(PRODUCT_WIDTH), aligned(4)));

enum {
    vectors_per_block = rondo_product_lanes / PRODUCT_WIDTH,
#if PRODUCT_WIDTH == 16
    largest_rows = 12, largest_blocks = 2, // 24 sums of 32 registers
#else
    largest_rows = 6, largest_blocks = 1,  // 12 sums of 16 registers
#endif
};

RONDO_INLINE vector load(const float *p) { return *(const loose_vector *)p; }
RONDO_INLINE void store(float *p, vector v) { *(loose_vector *)p = v; }
