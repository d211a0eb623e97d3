/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Files that describe networks: ONNX and rfield's own JSON.
 */
#ifndef RFIELD_READERS_H
#define RFIELD_READERS_H

#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to read a file. Start from RF_LOAD_OPTIONS_DEFAULT. */
typedef struct rf_load_options {
    size_t size;                   /**< sizeof(rf_load_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< of the network that is read */
} rf_load_options;

/** The default allocator and limits. */
#define RF_LOAD_OPTIONS_DEFAULT {.size = sizeof(rf_load_options), .allocator = NULL, .limits = RF_LIMITS_DEFAULT}

/**
 * Reads the network in the file at `path`, ONNX or JSON by its first bytes.
 *
 * Weights stay in the mapped file and are not read; the file must not be
 * changed while the network lives. `*network` receives the network, which the
 * caller gives back with rf_network_free(); it is NULL after a failure.
 *
 * @param path    a file; ONNX external data is looked for beside it
 * @param options NULL for the defaults
 * @param network receives the network
 * @param error   may be NULL
 * @return RF_ERROR_IO, RF_ERROR_FORMAT, RF_ERROR_LIMIT, RF_ERROR_MEMORY,
 *         RF_ERROR_UNSUPPORTED where the reader was not built, or RF_OK.
 *         The layers' operators and shapes are judged by rf_analyze().
 */
RF_API rf_status rf_network_load(const char *path, const rf_load_options *options,
                                 const rf_network **network, rf_error *error);

/**
 * Reads an ONNX model of `bytes` bytes. The memory must outlive the network,
 * whose constants point into it. External data is an RF_ERROR_IO.
 */
RF_API rf_status rf_network_load_onnx(const void *data, size_t bytes,
                                      const rf_load_options *options,
                                      const rf_network **network, rf_error *error);

/** Reads a JSON network (docs/json.md) of `bytes` bytes; the text is not kept. */
RF_API rf_status rf_network_load_json(const char *text, size_t bytes,
                                      const rf_load_options *options,
                                      const rf_network **network, rf_error *error);

/** Gives back a network that a reader made; NULL is allowed. */
RF_API void rf_network_free(const rf_network *network);

#ifdef __cplusplus
}
#endif
#endif
