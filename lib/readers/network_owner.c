/* SPDX-License-Identifier: MIT */
#include "readers/network_owner.h"

#include <string.h>

#include "base/failure.h"

/* A caller built against an older header passes a shorter struct: what it lacks keeps its default. */
static rf_status complete_options(const rf_load_options *given, rf_load_options *options,
                                  rf_error *error)
{
    *options = (rf_load_options)RF_LOAD_OPTIONS_DEFAULT;
    if (!given)
        return RF_OK;
    if (given->size < sizeof given->size)
        return rf_fail(error, RF_ERROR_ARGUMENT, "rf_load_options",
                       "rf_load_options.size is %zu; start from RF_LOAD_OPTIONS_DEFAULT",
                       given->size);
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    return RF_OK;
}

rf_status rf_network_owner_no_memory(const rf_network_owner *owner, rf_error *error)
{
    return rf_arena_fail(&owner->arena, error, "the network");
}

rf_status rf_network_owner_make(const rf_load_options *options, rf_network_owner **owner,
                                rf_error *error)
{
    *owner = NULL;
    rf_load_options complete;
    RF_TRY(complete_options(options, &complete, error));
    rf_arena arena;
    rf_arena_init(&arena, complete.allocator, complete.limits.memory_bytes);
    rf_network_owner *made = RF_TAKE(&arena, rf_network_owner, 1);
    if (!made)
        return rf_arena_fail(&arena, error, "the network");
    made->arena = arena;
    made->limits = complete.limits;
    *owner = made;
    return RF_OK;
}

rf_status rf_network_owner_adopt(rf_network_owner *owner, const rf_mapped_file *file,
                                 rf_error *error)
{
    rf_owned_file *owned = RF_TAKE(&owner->arena, rf_owned_file, 1);
    if (!owned)
        return rf_network_owner_no_memory(owner, error);
    *owned = (rf_owned_file){.file = *file, .next = owner->files};
    owner->files = owned;
    return RF_OK;
}

void rf_network_owner_free(rf_network_owner *owner)
{
    if (!owner)
        return;
    for (rf_owned_file *owned = owner->files; owned; owned = owned->next)
        rf_unmap_file(&owned->file);
    rf_arena arena = owner->arena;
    rf_arena_release(&arena);
}
