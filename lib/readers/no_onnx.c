/* SPDX-License-Identifier: MIT */
#include "readers/onnx_reader.h"

#include "base/failure.h"

rf_status rf_onnx_read(const void *data, size_t bytes, const char *folder,
                       rf_network_owner *owner, rf_error *error)
{
    (void)data;
    (void)bytes;
    (void)folder;
    (void)owner;
    return rf_fail(error, RF_ERROR_UNSUPPORTED, "onnx",
                   "this build of rfield does not read ONNX; configure it with -Donnx=enabled");
}
