/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* for madvise(): POSIX has no word for large pages */

#include "base/large_pages.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

void *rf_allocate_pages(size_t bytes)
{
    void *memory;
    if (bytes < LARGE_PAGE || posix_memalign(&memory, LARGE_PAGE, bytes) != 0)
        return malloc(bytes);
    /* A wish: where it is not granted, the pages are the usual ones. */
    (void)madvise(memory, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    return memory;
}
