/* SPDX-License-Identifier: MIT */
/* Stands in for tensor_proto.c in a build without ONNX. */
#include "tensors/tensor_proto.h"

#include "base/failure.h"

rf_status rf_tensor_proto_read(const rf_tensor_source *source, rf_network_owner *memory,
                               rf_tensor *tensor, rf_error *error)
{
    (void)source;
    (void)memory;
    (void)tensor;
    return rf_fail(error, RF_ERROR_UNSUPPORTED, "onnx",
                   "not a .npy file, and this build of rfield does not read ONNX tensors; "
                   "configure it with -Donnx=enabled");
}
