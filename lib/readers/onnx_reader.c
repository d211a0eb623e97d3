/* SPDX-License-Identifier: MIT */
#include "readers/onnx_reader.h"

#include <inttypes.h>

#include "onnx.pb.h"
#include "readers/onnx_graph.h"

/* Older ones name no operator set and broadcast in ways of their own. */
enum { OLDEST_IR_VERSION = 3, OLDEST_OPSET = 6 };

/* Notes the version of ONNX's own operators; those of other domains change nothing here. */
static rf_status take_opset(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    int32_t *opset = context;
    rf_onnx_field domain = {.reader = reader};
    rf_onnx_OperatorSetIdProto message = {.domain = rf_onnx_locate(&domain)};
    RF_TRY(rf_onnx_decode(reader, "an operator set", bytes, rf_onnx_OperatorSetIdProto_fields,
                          &message));
    if (domain.last.count && !rf_onnx_equal(domain.last, "ai.onnx"))
        return RF_OK;
    if (message.version < 1 || message.version > INT32_MAX
        || (*opset && *opset != message.version))
        return rf_fail(reader->error, RF_ERROR_FORMAT, "opset_import",
                       "the model's operator set %" PRId64 " is %s", message.version,
                       *opset ? "not the only one that it imports" : "not a version");
    *opset = (int32_t)message.version;
    return RF_OK;
}

static rf_status check_versions(const rf_onnx_reader *reader, int64_t ir_version, int32_t opset, bool imports)
{
    if (ir_version < 1)
        return rf_fail(reader->error, RF_ERROR_FORMAT, "ir_version",
                       "not an ONNX model: it states no ir_version");
    if (ir_version < OLDEST_IR_VERSION)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, "ir_version",
                       "the model has ir_version %" PRId64 "; %d and newer are supported",
                       ir_version, OLDEST_IR_VERSION);
    if (opset == 0)
        return rf_fail(reader->error, imports ? RF_ERROR_UNSUPPORTED : RF_ERROR_FORMAT, "opset_import",
                       "the model imports no version of ONNX's operators");
    if (opset < OLDEST_OPSET)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, "opset_import",
                       "the model uses operator set %d; %d and newer are supported", (int)opset,
                       OLDEST_OPSET);
    return RF_OK;
}

static rf_status decode_model(rf_onnx_reader *reader, rf_onnx_field *graph, int32_t *opset,
                              rf_onnx_field *functions)
{
    rf_onnx_field opsets = {.reader = reader, .take = take_opset, .context = opset,
                            .room = SIZE_MAX};
    rf_onnx_ModelProto message = {
        .graph = rf_onnx_locate(graph),
        .opset_import = rf_onnx_locate(&opsets),
        .functions = rf_onnx_locate(functions),
    };
    *opset = 0;
    RF_TRY(rf_onnx_decode(reader, "the model", reader->model, rf_onnx_ModelProto_fields,
                          &message));
    return check_versions(reader, message.ir_version, *opset, opsets.count > 0);
}

static rf_status read_model(rf_onnx_reader *reader)
{
    rf_onnx_field graph = {.reader = reader}, functions = graph;
    int32_t opset;
    RF_TRY(decode_model(reader, &graph, &opset, &functions));
    if (functions.count)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, NULL,
                       "the model defines functions of its own, which are not supported");
    if (graph.count != 1)
        return rf_fail(reader->error, RF_ERROR_FORMAT, "graph",
                       "not an ONNX model: it has %zu graphs; expected one", graph.count);
    RF_TRY(rf_onnx_graph(reader, graph.last));
    reader->owner->network.opset = opset;
    return RF_OK;
}

rf_status rf_onnx_read(const void *data, size_t bytes, const char *folder,
                       rf_network_owner *owner, rf_error *error)
{
    rf_onnx_reader reader = {
        .model = {.at = data, .count = bytes},
        .noun = "ONNX model",
        .folder = folder,
        .owner = owner,
        .error = error,
    };
    if (bytes == 0)
        return rf_fail(error, RF_ERROR_FORMAT, NULL, "not an ONNX model: it is empty");
    return read_model(&reader);
}
