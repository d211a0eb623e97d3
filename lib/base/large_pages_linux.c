/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* for madvise(): POSIX has no word for large pages */

#include "base/large_pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096, LARGE_PAGE = 2 << 20, WORTH_POPULATING = 128 << 10 };

/* A last page that is half used is worth a large one: hundreds of small ones take longer to be made. */
static size_t whole_pages(size_t bytes)
{
    size_t rest = bytes % LARGE_PAGE;
    return rest >= LARGE_PAGE / 2 && bytes < SIZE_MAX - LARGE_PAGE ? bytes - rest + LARGE_PAGE : bytes;
}

/* Makes small pages all at once, in half of the time that they take one by one. */
static void populate(char *memory, size_t bytes)
{
    size_t before = (uintptr_t)memory % PAGE;
    if (bytes >= WORTH_POPULATING)
        (void)madvise(memory - before, bytes + before, MADV_POPULATE_WRITE);
}

/* All advice is a wish: where it is not granted, pages are the usual ones and come one by one. */
void *rf_allocate_pages(size_t bytes)
{
    void *memory;
    size_t taken = whole_pages(bytes), large = taken / LARGE_PAGE * LARGE_PAGE;
    if (large && posix_memalign(&memory, LARGE_PAGE, taken) == 0) {
        (void)madvise(memory, large, MADV_HUGEPAGE);
        populate((char *)memory + large, taken - large);
        return memory;
    }
    memory = malloc(bytes);
    if (memory)
        populate(memory, bytes);
    return memory;
}
