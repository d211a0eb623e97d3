/* SPDX-License-Identifier: MIT */
#include "readers/onnx_value.h"

#include <inttypes.h>

#include "onnx.pb.h"

/* A shape while its dimensions are read. */
typedef struct shape_build {
    rf_tensor *tensor;
    const char **names;
} shape_build;

static rf_status name_dimension(rf_onnx_reader *reader, rf_onnx_bytes name, shape_build *build)
{
    if (!build->names) {
        void *memory;
        RF_TRY(rf_onnx_take(reader, RF_MAX_RANK, sizeof(const char *), &memory));
        build->tensor->dim_names = build->names = memory;
    }
    return rf_onnx_text(reader, "name of a dimension", name,
                        &build->names[build->tensor->shape.rank]);
}

/* Some exporters write an unknown dimension as -1. */
static rf_status take_dimension(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    shape_build *build = context;
    rf_tensor *tensor = build->tensor;
    rf_onnx_field name = {.reader = reader};
    rf_onnx_DimensionProto message = {.dim_param = rf_onnx_locate(&name)};
    RF_TRY(rf_onnx_decode(reader, "a dimension", bytes, rf_onnx_DimensionProto_fields, &message));
    int64_t extent = message.has_dim_value ? message.dim_value : RF_UNKNOWN_DIM;
    if (extent < RF_UNKNOWN_DIM)
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "tensor '%.80s' has the negative dimension %" PRId64, tensor->name, extent);
    if (extent == RF_UNKNOWN_DIM && name.last.count)
        RF_TRY(name_dimension(reader, name.last, build));
    tensor->shape.dims[tensor->shape.rank++] = extent;
    return RF_OK;
}

static rf_status read_shape(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_tensor *tensor)
{
    shape_build build = {.tensor = tensor};
    rf_onnx_field dims = {.reader = reader};
    rf_onnx_TensorShapeProto message = {.dim = rf_onnx_locate(&dims)};
    RF_TRY(rf_onnx_decode(reader, "a shape", bytes, rf_onnx_TensorShapeProto_fields, &message));
    if (dims.count > RF_MAX_RANK)
        return rf_fail(reader->error, RF_ERROR_LIMIT, tensor->name,
                       "tensor '%.80s' has %zu dimensions; at most %d are supported", tensor->name,
                       dims.count, RF_MAX_RANK);
    dims = (rf_onnx_field){.reader = reader, .take = take_dimension, .context = &build,
                           .room = dims.count};
    tensor->shape.rank = 0;
    return rf_onnx_decode(reader, "a shape", bytes, rf_onnx_TensorShapeProto_fields, &message);
}

static rf_status read_tensor_type(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_tensor *tensor,
                                  rf_onnx_value_kind *kind)
{
    rf_onnx_field shape = {.reader = reader};
    rf_onnx_TensorTypeProto message = {.shape = rf_onnx_locate(&shape)};
    RF_TRY(rf_onnx_decode(reader, "a tensor's type", bytes, rf_onnx_TensorTypeProto_fields,
                          &message));
    *kind = message.elem_type < 0 || message.elem_type > RF_INT4 ? RF_ONNX_OTHER : RF_ONNX_TENSOR;
    if (*kind == RF_ONNX_OTHER)
        return RF_OK;
    tensor->dtype = (rf_dtype)message.elem_type;
    return shape.count ? read_shape(reader, shape.last, tensor) : RF_OK;
}

static rf_status read_type(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_tensor *tensor,
                           rf_onnx_value_kind *kind)
{
    rf_onnx_field type = {.reader = reader}, other = type;
    rf_onnx_TypeProto message = {
        .tensor_type = rf_onnx_locate(&type),
        .sequence_type = rf_onnx_locate(&other),
        .map_type = rf_onnx_locate(&other),
        .opaque_type = rf_onnx_locate(&other),
        .sparse_tensor_type = rf_onnx_locate(&other),
        .optional_type = rf_onnx_locate(&other),
    };
    RF_TRY(rf_onnx_decode(reader, "a type", bytes, rf_onnx_TypeProto_fields, &message));
    *kind = other.count ? RF_ONNX_OTHER : RF_ONNX_UNTYPED;
    if (other.count || !type.count)
        return RF_OK;
    return read_tensor_type(reader, type.last, tensor, kind);
}

rf_status rf_onnx_value(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_tensor *tensor,
                        rf_onnx_value_kind *kind)
{
    rf_onnx_field name = {.reader = reader}, type = name;
    rf_onnx_ValueInfoProto message = {
        .name = rf_onnx_locate(&name),
        .type = rf_onnx_locate(&type),
    };
    RF_TRY(rf_onnx_decode(reader, "a declared value", bytes, rf_onnx_ValueInfoProto_fields,
                          &message));
    *tensor = (rf_tensor){.shape = {.rank = -1}};
    *kind = RF_ONNX_UNTYPED;
    RF_TRY(rf_onnx_text(reader, "name of a declared value", name.last, &tensor->name));
    if (!*tensor->name)
        return rf_fail(reader->error, RF_ERROR_FORMAT, NULL,
                       "not an ONNX model: the input, output or value at byte %zu has no name",
                       (size_t)(bytes.at - reader->model.at));
    return type.count ? read_type(reader, type.last, tensor, kind) : RF_OK;
}
