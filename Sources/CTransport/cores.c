#define _GNU_SOURCE
#include "CTransport.h"

#include <sched.h>
#include <string.h>

// The system's set of cores is a bit mask, core 0 the lowest bit of the first byte.
_Static_assert(sizeof(cpu_set_t) == sizeof(rondo_core_set), "a set of cores has 128 bytes");

int rondo_get_cores(rondo_core_set *set) {
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return -1;
    memcpy(set, &cores, sizeof cores);
    return 0;
}

int rondo_set_cores(const rondo_core_set *set) {
    cpu_set_t cores;
    memcpy(&cores, set, sizeof cores);
    return sched_setaffinity(0, sizeof cores, &cores);
}
