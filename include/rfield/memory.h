/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Where memory comes from and how much of anything is accepted.
 */
#ifndef RFIELD_MEMORY_H
#define RFIELD_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The caller's memory functions. A NULL allocator means malloc and free.
 *
 * An object keeps a copy of the allocator that made it and frees itself with
 * it. The library calls it only from the thread that called the library.
 */
typedef struct rf_allocator {
    /** Returns `bytes` bytes aligned for any type, or NULL. */
    void *(*allocate)(void *context, size_t bytes);
    /** Takes back what `allocate` returned; `bytes` is the size asked for. */
    void (*release)(void *context, void *memory, size_t bytes);
    /** Handed to both functions. */
    void *context;
} rf_allocator;

/**
 * Bounds on what a description may hold. Start from RF_LIMITS_DEFAULT.
 * Passing one is an RF_ERROR_LIMIT that names it.
 */
typedef struct rf_limits {
    uint64_t memory_bytes;    /**< heap for one network or one analysis; mapped files not counted */
    uint64_t layers;          /**< layers of a network */
    uint64_t tensors;         /**< tensors of a network, inputs and constants included */
    uint64_t folded_elements; /**< elements of one tensor computed ahead of time for shapes */
    uint32_t nesting;         /**< depth of nested messages or JSON values in a file */
} rf_limits;

/** 2 GiB of heap, a million layers, four million tensors, nesting of 64. */
#define RF_LIMITS_DEFAULT                                                       \
    {                                                                           \
        .memory_bytes = UINT64_C(1) << 31, .layers = 1000000,                   \
        .tensors = 4000000, .folded_elements = UINT64_C(1) << 20, .nesting = 64 \
    }

#ifdef __cplusplus
}
#endif
#endif
