// The product of recurrent steps for processors with AVX2 and FMA.
#include "clones.h"
#include "recurrent_packed.h"

#if defined(__x86_64__)
#define PRODUCT_WIDTH 8
#define PRODUCT rondo_packed_product_8
#define OUTER rondo_blocked_outer_8
#pragma clang attribute push(__attribute__((target("avx2,fma"))),   \
                             apply_to = function)
#include "recurrent_product.h"
#include "recurrent_outer.h"
#pragma clang attribute pop
#endif
