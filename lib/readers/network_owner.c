/* SPDX-License-Identifier: MIT */
#include "readers/network_owner.h"

#include "base/failure.h"
#include "base/options.h"

rf_status rf_network_owner_no_memory(const rf_network_owner *owner, rf_error *error)
{
    return rf_arena_fail(&owner->arena, error, "the network");
}

rf_status rf_network_owner_make(const rf_load_options *options, rf_network_owner **owner,
                                rf_error *error)
{
    *owner = NULL;
    rf_load_options complete = RF_LOAD_OPTIONS_DEFAULT;
    RF_TRY(rf_options_take(&complete, sizeof complete, options, "rf_load_options", "RF_LOAD_OPTIONS_DEFAULT",
                           error));
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

/* A process may have some hundreds of files open; further ones are only mapped. */
enum { MOST_OPEN = 16 };

rf_status rf_network_owner_adopt(rf_network_owner *owner, const rf_mapped_file *file,
                                 rf_error *error)
{
    rf_owned_file *owned = RF_TAKE(&owner->arena, rf_owned_file, 1);
    if (!owned)
        return rf_network_owner_no_memory(owner, error);
    *owned = (rf_owned_file){.file = *file, .next = owner->files};
    owner->files = owned;
    if (++owner->file_count > MOST_OPEN)
        rf_close_file(&owned->file);
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
