// The fused kernels for processors with AVX2 and FMA.
#include "clones.h"
#include "fused.h"
#include <string.h>

#if defined(__x86_64__)
#define FUSED_WIDTH 8
#define FUSED(name) name##_8
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "fused_products.h"
#include "fused_winograd.h"
#include "fused_columns.h"
#pragma clang attribute pop
#endif
