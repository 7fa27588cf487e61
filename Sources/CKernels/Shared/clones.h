// Private to this target: the attribute that gives a loop its three bodies.
#pragma once
#include <stdint.h>

#if defined(__x86_64__) && defined(__linux__)
#define RONDO_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RONDO_CLONES
#endif
#define RONDO_INLINE static inline __attribute__((always_inline))
// Before a loop that may write over one of its inputs, element on element: the compiler's own test
// for overlap sends such calls to a body without vectors.
#define RONDO_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
// Sixteen neighbouring floats, so that sums over rows stay in registers.
typedef float rondo_sixteen __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t rondo_sixteen_indices __attribute__((ext_vector_type(16), aligned(4)));
#pragma clang fp contract(off)
