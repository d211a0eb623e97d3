/* SPDX-License-Identifier: MIT */
#include "kernels/machine.h"

#include <string.h>

#include "base/failure.h"

const rf_kernels *rf_machine_find(const char *isa)
{
    const rf_kernels *const *sets = rf_machine_kernels();
    if (!isa)
        return *sets;
    while (*sets && strcmp((*sets)->isa, isa) != 0)
        sets++;
    return *sets;
}

/* The place among those that were built of the set with this name; the list's length for none. */
static uint32_t place_of(const char *name, size_t bytes)
{
    const rf_kernels *const *sets = rf_machine_built();
    uint32_t place = 0;
    while (sets[place] && (strlen(sets[place]->isa) != bytes || memcmp(sets[place]->isa, name, bytes) != 0))
        place++;
    return place;
}

/* Bit k of *allowed: the mask leaves set k of those that were built. */
static rf_status read_mask(const char *mask, uint32_t *allowed, rf_error *error)
{
    *allowed = UINT32_MAX;
    if (!mask || !*mask)
        return RF_OK;
    bool several = strchr(mask, ',') != NULL;
    *allowed = 0;
    for (;;) {
        size_t bytes = strcspn(mask, ",");
        uint32_t place = place_of(mask, bytes);
        if (!rf_machine_built()[place])
            return rf_fail(error, RF_ERROR_UNSUPPORTED, "RFIELD_ISA",
                           "RFIELD_ISA names '%.*s', which is no instruction set of this library; its best is '%s'",
                           bytes < 40 ? (int)bytes : 40, mask, (*rf_machine_built())->isa);
        *allowed |= several ? UINT32_C(1) << place : UINT32_MAX << place;
        if (!mask[bytes])
            return RF_OK;
        mask += bytes + 1;
    }
}

/* The allowed ones from the set of that name on. */
static rf_status find_best(const char *isa, const rf_kernels *const **from, rf_error *error)
{
    *from = rf_machine_kernels();
    while (isa && **from && strcmp((**from)->isa, isa) != 0)
        ++*from;
    if (**from)
        return RF_OK;
    return rf_fail(error, RF_ERROR_UNSUPPORTED, isa,
                   "instruction set '%.40s' is unknown or not this machine's; the best is '%s'", isa,
                   (*rf_machine_kernels())->isa);
}

rf_status rf_machine_choose(const char *isa, const char *mask, const rf_kernels **kernels, rf_error *error)
{
    const rf_kernels *const *from;
    uint32_t allowed;
    RF_TRY(find_best(isa, &from, error));
    RF_TRY(read_mask(mask, &allowed, error));
    const char *best = (*from)->isa;
    while (*from && !(allowed >> (from - rf_machine_built()) & 1))
        from++;
    *kernels = *from;
    if (*from)
        return RF_OK;
    return rf_fail(error, RF_ERROR_UNSUPPORTED, "RFIELD_ISA",
                   "RFIELD_ISA is '%.60s', which leaves nothing of this machine that is no better than '%s'", mask,
                   best);
}
