#include "CKernels.h"
#include <malloc.h>

void rondo_return_large_blocks(size_t threshold) {
    mallopt(M_MMAP_THRESHOLD, (int)threshold);
    mallopt(M_TRIM_THRESHOLD, (int)threshold);
}
