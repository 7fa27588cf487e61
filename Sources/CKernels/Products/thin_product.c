#include "CKernels.h"
#include "thin_product.h"

void rondo_thin_product(int64_t width, const rondo_product *product) {
#if defined(__x86_64__)
    if (width == 16)
        rondo_thin_product_16(product);
    else
        rondo_thin_product_8(product);
#else
    (void)width, (void)product; // 0 on these processors: never called
#endif
}
