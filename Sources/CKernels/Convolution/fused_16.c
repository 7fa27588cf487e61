// The fused kernels for processors with AVX-512.
#include "clones.h"
#include "fused.h"
#include <string.h>

#if defined(__x86_64__)
#define FUSED_WIDTH 16
#define FUSED(name) name##_16
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma"))),                   \
    apply_to = function)
#include "fused_products.h"
#include "fused_winograd.h"
#include "fused_columns.h"
#pragma clang attribute pop
#endif
