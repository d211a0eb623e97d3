/* SPDX-License-Identifier: MIT */
/* Whether a network can be written: ONNX wants every weight, and text in UTF-8. */
#ifndef RF_WRITERS_ONNX_CHECK_H
#define RF_WRITERS_ONNX_CHECK_H

#include "network/graph.h"

/* Tensors and layers of a graph that was resolved, by names at least. */
rf_status rf_onnx_check(const rf_graph *graph, rf_error *error);

#endif
