/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Files that other programs read: a network as an ONNX model.
 */
#ifndef RFIELD_WRITERS_H
#define RFIELD_WRITERS_H

#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to write a network. Start from RF_SAVE_OPTIONS_DEFAULT. */
typedef struct rf_save_options {
    size_t size;                   /**< sizeof(rf_save_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< of the work; what is written is not kept in memory */
    /** Shapes of inputs, used only to find the types of outputs that the network doesn't declare;
     * the file keeps the inputs as declared. */
    const rf_binding *bindings;
    size_t binding_count; /**< entries of `bindings` */
} rf_save_options;

/** The default allocator and limits, no bindings. */
#define RF_SAVE_OPTIONS_DEFAULT {.size = sizeof(rf_save_options), .limits = RF_LIMITS_DEFAULT}

/**
 * Writes a network to an ONNX file: what rf_network_load() makes of the file has the same inputs,
 * outputs, constants, declared shapes and attributes, and computes the same.
 *
 * - Layers come in an order in which they can run, each with a name and with the names of its
 *   inputs and outputs, whether the description gives them or not.
 * - Outputs that the network doesn't list are found and listed. Those without a type get one;
 *   their extents stay unknown where an input has unknown extents.
 * - The operator set is the network's, or the newest that rfield knows. `ir_version` is the one
 *   that came with that operator set, 4 at least. A layer's domain is kept and imported as version 1;
 *   operators of the domain "rfield" are known to rfield only.
 * - A network without a name is called "network".
 *
 * The file appears whole or not at all. Any number of threads may save at once.
 *
 * @param network has its weights: a constant without data, the attributes `filters` and `bias` and
 *                normalisations without scale are an RF_ERROR_ARGUMENT that names the layer
 *                (rf_network_initialize() gives such a network weights)
 * @param path    of the file, replaced if it exists
 * @param options NULL for the defaults
 * @param error   may be NULL
 * @return RF_OK, RF_ERROR_ARGUMENT (also for lists that are NULL), RF_ERROR_FORMAT for names that aren't
 *         UTF-8, RF_ERROR_GRAPH for names that don't resolve, RF_ERROR_UNSUPPORTED for strings in a
 *         tensor and for attributes that rfield doesn't hold, RF_ERROR_LIMIT where the file would pass
 *         the 2 GiB that ONNX allows, RF_ERROR_IO, RF_ERROR_MEMORY; and what rf_analyze() returns where
 *         an output's type must be found.
 */
RF_API rf_status rf_network_save_onnx(const rf_network *network, const char *path,
                                      const rf_save_options *options, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
