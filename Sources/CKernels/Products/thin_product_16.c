// The thin products for processors with AVX-512.
#include "clones.h"
#include "thin_product.h"
#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__)
#define PRODUCT_WIDTH 16
#define PRODUCT rondo_thin_product_16
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma"))),                   \
    apply_to = function)
#include "thin_product_tiles.h"
#pragma clang attribute pop
#endif
