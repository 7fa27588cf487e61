// Private to this target: how the own products' packed operands lie.
#pragma once

// Columns of a packed block, whatever the width of the vectors.
enum { rondo_product_lanes = 16 };
