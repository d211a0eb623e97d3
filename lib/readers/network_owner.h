/* SPDX-License-Identifier: MIT */
/*
 * A network that a reader made, together with everything it stands on.
 *
 * The public rf_network is the first member, so that rf_network_free() finds
 * the owner from the pointer that the caller holds.
 */
#ifndef RF_READERS_NETWORK_OWNER_H
#define RF_READERS_NETWORK_OWNER_H

#include <rfield/readers.h>

#include "base/arena.h"
#include "readers/mapped_file.h"

/* A mapping that the network's constants may point into. */
typedef struct rf_owned_file {
    rf_mapped_file file;
    struct rf_owned_file *next;
} rf_owned_file;

typedef struct rf_network_owner {
    rf_network network;   /* must stay first */
    rf_arena arena;       /* owns everything but the mappings, this struct included */
    rf_limits limits;
    rf_owned_file *files;
    size_t file_count;
    rf_backing backing;   /* of a network from a file */
} rf_network_owner;

/* An empty network in an arena of its own. `options` may be NULL or of an older, shorter layout.
 * *owner is NULL after a failure. */
rf_status rf_network_owner_make(const rf_load_options *options, rf_network_owner **owner,
                                rf_error *error);

/* Hands a mapping over to the owner, which undoes it; on failure it stays the caller's. */
rf_status rf_network_owner_adopt(rf_network_owner *owner, const rf_mapped_file *file,
                                 rf_error *error);

/* NULL is allowed; so is a network that was only half built. */
void rf_network_owner_free(rf_network_owner *owner);

/* The RF_ERROR_MEMORY or RF_ERROR_LIMIT that explains why rf_arena_take() gave NULL. */
rf_status rf_network_owner_no_memory(const rf_network_owner *owner, rf_error *error);

#endif
