/* SPDX-License-Identifier: MIT */
/* ONNX's messages from rfield's structures, which are known to be writable. */
#ifndef RF_WRITERS_ONNX_MESSAGES_H
#define RF_WRITERS_ONNX_MESSAGES_H

#include "network/graph.h"
#include "writers/wire.h"

typedef struct rf_onnx_model {
    const rf_graph *graph;     /* resolved, maybe by names only: layers in order */
    const rf_tensor *outputs;  /* with types */
    size_t output_count;
    const char *const *domains; /* beside ONNX's own */
    size_t domain_count;
    int32_t opset;
} rf_onnx_model;

/* The fields of a ModelProto; `message` is an rf_onnx_model. */
void rf_onnx_put_model(rf_wire *wire, const void *message);

/* Whether a domain is not one of ONNX's own spellings. */
bool rf_onnx_is_foreign(const char *domain);

#endif
