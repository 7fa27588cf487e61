#define _GNU_SOURCE
#include "CTransport.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Without a name in any file system, so that nothing is left whatever kills the processes.
static const char segment_name[] = "rondo-link";
static const int segment_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static int failed(int descriptor) {
    int reason = errno;
    close(descriptor);
    return -reason;
}

int rondo_segment_create(size_t byte_count) {
    int descriptor = memfd_create(segment_name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -errno;
    // Reserved now: memory that runs out later would be a SIGBUS in the middle of a transfer.
    if (ftruncate(descriptor, (off_t)byte_count) != 0 ||
        fallocate(descriptor, 0, 0, (off_t)byte_count) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, segment_seals) != 0)
        return failed(descriptor);
    return descriptor;
}

int rondo_segment_open(uint32_t process, uint32_t descriptor, size_t byte_count) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%u/fd/%u", process, descriptor);
    // The name first: opening a device or a pipe that merely has this number could do something.
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0) return -errno;
    static const char prefix[] = "/memfd:rondo-link";
    if ((size_t)length < sizeof prefix - 1 || memcmp(target, prefix, sizeof prefix - 1) != 0)
        return -EBADF;
    int opened = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) return -errno;
    struct stat status;
    if (fstat(opened, &status) != 0) return failed(opened);
    int seals = fcntl(opened, F_GET_SEALS);
    if (!S_ISREG(status.st_mode) || status.st_size != (off_t)byte_count || seals < 0 ||
        (seals & segment_seals) != segment_seals) {
        close(opened);
        return -EBADF;
    }
    return opened;
}

void *rondo_segment_map(int descriptor, size_t header_byte_count, size_t ring_byte_count) {
    const int access = PROT_READ | PROT_WRITE;
    size_t whole = header_byte_count + 2 * ring_byte_count;
    char *base = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    char *again = base + header_byte_count + ring_byte_count;
    if (mmap(base, header_byte_count + ring_byte_count, access, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
             descriptor, 0) == MAP_FAILED ||
        mmap(again, ring_byte_count, access, MAP_SHARED | MAP_FIXED | MAP_POPULATE, descriptor,
             (off_t)header_byte_count) == MAP_FAILED) {
        int reason = errno;
        munmap(base, whole);
        errno = reason;
        return NULL;
    }
    return base;
}

void rondo_segment_unmap(void *segment, size_t header_byte_count, size_t ring_byte_count) {
    munmap(segment, header_byte_count + 2 * ring_byte_count);
}
