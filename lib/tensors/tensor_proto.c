/* SPDX-License-Identifier: MIT */
/* A TensorProto by itself is read by what reads those of models. */
#include "tensors/tensor_proto.h"

#include "readers/onnx_tensor.h"

rf_status rf_tensor_proto_read(const rf_tensor_source *source, rf_network_owner *memory,
                               rf_tensor *tensor, rf_error *error)
{
    rf_onnx_reader reader = {
        .model = {.at = source->data, .count = source->bytes},
        .noun = "ONNX tensor",
        .folder = source->folder,
        .owner = memory,
        .error = error,
    };
    return rf_onnx_tensor(&reader, reader.model, "", tensor);
}
