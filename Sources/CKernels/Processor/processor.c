#include "CKernels.h"

const char *rondo_processor_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
    return "Nehalem";
#else
    return "generic";
#endif
}

bool rondo_processor_halves_avx512(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    // Family 19h is Zen 3, which has no AVX-512, and Zen 4.
    return __builtin_cpu_is("amdfam19h") && __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}
