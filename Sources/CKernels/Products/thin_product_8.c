// The thin products for processors with AVX2 and FMA.
#include "clones.h"
#include "thin_product.h"
#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__)
#define PRODUCT_WIDTH 8
#define PRODUCT rondo_thin_product_8
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "thin_product_tiles.h"
#pragma clang attribute pop
#endif
