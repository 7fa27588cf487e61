// Private to this target: the attribute that gives a loop its three bodies.
#pragma once
#if defined(__x86_64__) && defined(__linux__)
#define RONDO_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RONDO_CLONES
#endif
#define RONDO_INLINE static inline __attribute__((always_inline))
#pragma clang fp contract(off)
