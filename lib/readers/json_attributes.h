/* SPDX-License-Identifier: MIT */
/* The keys of a JSON layer that set its operator up: attributes, and small tensors that ONNX
 * wants as inputs. */
#ifndef RF_READERS_JSON_ATTRIBUTES_H
#define RF_READERS_JSON_ATTRIBUTES_H

#include "ops/op.h"
#include "readers/json_values.h"

/* Inputs beyond this position are never carried by a key. */
enum { RF_JSON_CARRIED = 5 };

/* The keys of every layer, whatever its operator; NULL ends them. */
extern const char *const rf_json_layer_keys[];

/* A layer whose keys are read. */
typedef struct rf_json_layer {
    json_t *object;
    const rf_op *op;      /* NULL for an operator that rfield has no row for */
    int32_t opset;
    size_t spatial_axes;  /* that a scalar kernel, stride, dilation or pad stands for */
} rf_json_layer;

/*
 * *attributes receives a list as rf_layer wants it. carried[i] receives the type, shape and data
 * of the constant that a key gives for input i, with the key as its name; the other elements are
 * left untouched. Fails for a key that the operator does not know.
 */
rf_status rf_json_attributes(const rf_json_reader *reader, const rf_json_layer *layer,
                             const rf_attribute **attributes, rf_tensor carried[RF_JSON_CARRIED]);

#endif
