/* SPDX-License-Identifier: MIT */
/*
 * Memory on pages larger than usual, where the system has them, and where not, on pages that are made together.
 *
 * The first touch of a page costs far more than filling it, and weights are
 * gigabytes in pages of a few kilobytes; large pages also spare a run most of
 * its walks through page tables.
 */
#ifndef RF_BASE_LARGE_PAGES_H
#define RF_BASE_LARGE_PAGES_H

#include <stddef.h>

/* As malloc(), for free(): memory all of which will soon be written. */
void *rf_allocate_pages(size_t bytes);

#endif
