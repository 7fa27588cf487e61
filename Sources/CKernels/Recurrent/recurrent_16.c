// The product of recurrent steps for processors with AVX-512.
#include "clones.h"
#include "recurrent_packed.h"

#if defined(__x86_64__)
#define PRODUCT_WIDTH 16
#define PRODUCT rondo_packed_product_16
#define OUTER rondo_blocked_outer_16
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma"))),   \
                             apply_to = function)
#include "recurrent_product.h"
#include "recurrent_outer.h"
#pragma clang attribute pop
#endif
