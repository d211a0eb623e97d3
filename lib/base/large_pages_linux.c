/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* for madvise(): POSIX has no word for large pages */

#include "base/large_pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

/* A last page that is half used is worth a large one: hundreds of small ones take longer to be made. */
static size_t whole_pages(size_t bytes)
{
    size_t rest = bytes % LARGE_PAGE;
    return rest >= LARGE_PAGE / 2 && bytes < SIZE_MAX - LARGE_PAGE ? bytes - rest + LARGE_PAGE : bytes;
}

void *rf_allocate_pages(size_t bytes)
{
    void *memory;
    size_t taken = whole_pages(bytes);
    if (taken < LARGE_PAGE || posix_memalign(&memory, LARGE_PAGE, taken) != 0)
        return malloc(bytes);
    /* A wish: where it is not granted, the pages are the usual ones. */
    (void)madvise(memory, taken / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    return memory;
}
