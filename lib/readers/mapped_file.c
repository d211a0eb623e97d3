/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* for madvise(): posix_madvise() keeps the pages on Linux */

#include "readers/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/system_reason.h"

/* NULL, or why the open file cannot be mapped. */
static const char *map_open_file(int descriptor, rf_mapped_file *file)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return rf_system_reason(errno);
    if (S_ISDIR(status.st_mode))
        return "it is a directory";
    if (!S_ISREG(status.st_mode))
        return "it is not a regular file";
    if ((uintmax_t)status.st_size > SIZE_MAX)
        return "it is larger than the address space";
    *file = (rf_mapped_file){
        .data = (const unsigned char *)"", .bytes = (size_t)status.st_size, .descriptor = descriptor,
    };
    if (file->bytes == 0)
        return NULL;
    void *memory = mmap(NULL, file->bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED)
        return rf_system_reason(errno);
    file->data = memory;
    return NULL;
}

rf_status rf_map_file(const char *path, const char *subject, rf_mapped_file *file,
                      rf_error *error)
{
    /* O_NONBLOCK: a pipe or device in the file's place must not stop the caller. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *reason = descriptor < 0 ? rf_system_reason(errno) : map_open_file(descriptor, file);
    if (!reason)
        return RF_OK;
    if (descriptor >= 0)
        close(descriptor);
    return rf_fail(error, RF_ERROR_IO, subject ? subject : path, "cannot read %s: %s", path,
                   reason);
}

void rf_close_file(rf_mapped_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}

bool rf_read_mapped(const rf_mapped_file *file, const void *from, size_t bytes, void *to)
{
    uintptr_t start = (uintptr_t)from - (uintptr_t)file->data;
    if (file->descriptor < 0 || start > file->bytes || bytes > file->bytes - start)
        return false;
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(file->descriptor, (char *)to + done, bytes - done, (off_t)(start + done));
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

void rf_forget_pages(const rf_mapped_file *file, const void *from, size_t bytes)
{
    const uintptr_t data = (uintptr_t)file->data, end = data + file->bytes, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)from, last = bytes < UINTPTR_MAX - first ? first + bytes : UINTPTR_MAX;
    first = first > data ? first / page * page : data;
    last = last < end ? last : end;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}

void rf_unmap_file(const rf_mapped_file *file)
{
    if (file->bytes)
        munmap((void *)(uintptr_t)file->data, file->bytes);
    if (file->descriptor >= 0)
        close(file->descriptor);
}
