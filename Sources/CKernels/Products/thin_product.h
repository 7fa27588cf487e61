// Private to this target: what the two widths of the thin products share.
#pragma once
#include "CKernelsProduct.h"

enum {
    rondo_panel_columns = 32, // packed at a time
    rondo_panel_depth = 256,  // at most: a panel is 32 KB, as large as the L1 cache
};

void rondo_thin_product_8(const rondo_product *product);
void rondo_thin_product_16(const rondo_product *product);
