/* SPDX-License-Identifier: MIT */
/*
 * A tensor that was read, together with the memory that it stands on.
 *
 * The public rf_tensor is the first member, so that rf_tensor_free() finds the
 * owner from the pointer that the caller holds. The memory is a network's,
 * so that a TensorProto by itself is read by the code that reads one in a model.
 */
#ifndef RF_TENSORS_TENSOR_OWNER_H
#define RF_TENSORS_TENSOR_OWNER_H

#include "readers/network_owner.h"

typedef struct rf_tensor_owner {
    rf_tensor tensor;         /* must stay first */
    rf_network_owner *memory; /* holds this struct too */
} rf_tensor_owner;

/* The bytes of a file or of the caller. */
typedef struct rf_tensor_source {
    const unsigned char *data;
    size_t bytes;
    const char *folder; /* where a file lies, ending in '/' or empty; NULL where there is none */
} rf_tensor_source;

/* A format: fills `tensor` from `source`, of which nothing may be pointed at afterwards but by
 * `tensor->data`. Elements are row-major and little-endian, of any alignment. */
typedef rf_status (*rf_tensor_reader)(const rf_tensor_source *source, rf_network_owner *memory,
                                      rf_tensor *tensor, rf_error *error);

#endif
