/* SPDX-License-Identifier: MIT */
#include "base/large_pages.h"

#include <stdlib.h>

void *rf_allocate_pages(size_t bytes)
{
    return malloc(bytes);
}
