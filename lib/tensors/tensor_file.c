/* SPDX-License-Identifier: MIT */
/* Which format a tensor is in, and what all of them share. */
#include <rfield/tensors.h>

#include <inttypes.h>
#include <string.h>

#include "base/options.h"
#include "ops/op.h"
#include "tensors/new_file.h"
#include "tensors/npy.h"
#include "tensors/tensor_proto.h"

static rf_status make_owner(const rf_tensor_options *options, rf_tensor_owner **owner, rf_error *error)
{
    rf_tensor_options complete = RF_TENSOR_OPTIONS_DEFAULT;
    rf_load_options load = RF_LOAD_OPTIONS_DEFAULT;
    RF_TRY(rf_options_take(&complete, sizeof complete, options, "rf_tensor_options",
                           "RF_TENSOR_OPTIONS_DEFAULT", error));
    load.allocator = complete.allocator;
    load.limits = complete.limits;
    rf_network_owner *memory;
    RF_TRY(rf_network_owner_make(&load, &memory, error));
    *owner = RF_TAKE(&memory->arena, rf_tensor_owner, 1);
    if (*owner) {
        (*owner)->memory = memory;
        return RF_OK;
    }
    rf_status status = rf_arena_fail(&memory->arena, error, "the tensor");
    rf_network_owner_free(memory);
    return status;
}

/* Elements that still lie in the file, or unaligned in memory that is not ours, are copied. */
static rf_status own_elements(rf_tensor_owner *owner, rf_error *error)
{
    rf_tensor *tensor = &owner->tensor;
    if (tensor->dtype == RF_STRING)
        return rf_fail(error, RF_ERROR_UNSUPPORTED, tensor->name,
                       "tensor '%.80s' holds strings, which rfield does not compute with", tensor->name);
    unsigned char *elements = rf_arena_take(&owner->memory->arena, tensor->data_bytes, 1);
    if (!elements)
        return rf_arena_fail(&owner->memory->arena, error, "the tensor");
    if (tensor->data_bytes)
        memcpy(elements, tensor->data, tensor->data_bytes);
    /* Any byte but 0 is true in a file; in memory only 1 is. */
    for (size_t i = 0; i < tensor->data_bytes && tensor->dtype == RF_BOOL; i++)
        elements[i] = elements[i] != 0;
    tensor->data = elements;
    return RF_OK;
}

static rf_status fill(rf_tensor_owner *owner, const rf_tensor_source *source, rf_error *error)
{
    if (source->bytes == 0)
        return rf_fail(error, RF_ERROR_FORMAT, NULL, "a tensor cannot be read: it is empty");
    rf_tensor_reader read = rf_npy_begins(source) ? rf_npy_read : rf_tensor_proto_read;
    RF_TRY(read(source, owner->memory, &owner->tensor, error));
    return own_elements(owner, error);
}

/* Names the tensor, not a network, where memory ran out. */
static rf_status finish(rf_tensor_owner *owner, rf_status status, const rf_tensor **tensor,
                        rf_error *error)
{
    if (status == RF_OK) {
        *tensor = &owner->tensor;
        return RF_OK;
    }
    if (owner->memory->arena.refused)
        status = rf_arena_fail(&owner->memory->arena, error, "the tensor");
    rf_network_owner_free(owner->memory);
    return status;
}

rf_status rf_tensor_read(const void *data, size_t bytes, const rf_tensor_options *options,
                         const rf_tensor **tensor, rf_error *error)
{
    if (!tensor)
        return rf_fail(error, RF_ERROR_ARGUMENT, "tensor", "rf_tensor_read: tensor is NULL");
    *tensor = NULL;
    if (!data && bytes)
        return rf_fail(error, RF_ERROR_ARGUMENT, "data", "rf_tensor_read: data is NULL");
    rf_tensor_owner *owner;
    rf_tensor_source source = {.data = data, .bytes = bytes};
    RF_TRY(make_owner(options, &owner, error));
    return finish(owner, fill(owner, &source, error), tensor, error);
}

/* External data of a TensorProto lies beside it. */
static rf_status fill_from_file(rf_tensor_owner *owner, const char *path, const rf_mapped_file *file,
                                rf_error *error)
{
    const char *slash = strrchr(path, '/');
    rf_tensor_source source = {.data = file->data, .bytes = file->bytes};
    source.folder = rf_arena_text(&owner->memory->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
    if (!source.folder)
        return rf_arena_fail(&owner->memory->arena, error, "the tensor");
    return fill(owner, &source, error);
}

rf_status rf_tensor_load(const char *path, const rf_tensor_options *options, const rf_tensor **tensor,
                         rf_error *error)
{
    if (!tensor)
        return rf_fail(error, RF_ERROR_ARGUMENT, "tensor", "rf_tensor_load: tensor is NULL");
    *tensor = NULL;
    if (!path)
        return rf_fail(error, RF_ERROR_ARGUMENT, "path", "rf_tensor_load: path is NULL");
    rf_mapped_file file;
    rf_tensor_owner *owner;
    RF_TRY(rf_map_file(path, NULL, &file, error));
    rf_status status = make_owner(options, &owner, error);
    if (status == RF_OK)
        status = finish(owner, fill_from_file(owner, path, &file, error), tensor, error);
    rf_unmap_file(&file);
    return status;
}

void rf_tensor_free(const rf_tensor *tensor)
{
    if (tensor)
        rf_network_owner_free(((const rf_tensor_owner *)(const void *)tensor)->memory);
}

static rf_status check_tensor(const rf_tensor *tensor, rf_error *error)
{
    uint64_t bytes;
    const char *name = tensor->name ? tensor->name : "";
    if (tensor->shape.rank < 0 || tensor->shape.rank > RF_MAX_RANK)
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' has the rank %d; 0 to %d can be saved",
                       name, (int)tensor->shape.rank, RF_MAX_RANK);
    if (rf_dtype_bits(tensor->dtype) == 0)
        return rf_fail(error, RF_ERROR_UNSUPPORTED, name, "tensor '%.80s' has elements of type %s, which "
                       "cannot be saved", name, rf_dtype_name(tensor->dtype));
    if (!rf_tensor_bytes(tensor->dtype, &tensor->shape, &bytes))
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' has the shape %s, which is unknown or "
                       "has too many elements to count", name, rf_shape_print(&tensor->shape).text);
    if (tensor->data_bytes != bytes || (!tensor->data && bytes))
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' holds %zu bytes%s; %s%s needs %" PRIu64,
                       name, tensor->data_bytes, tensor->data ? "" : " at NULL",
                       rf_dtype_name(tensor->dtype), rf_shape_print(&tensor->shape).text, bytes);
    return RF_OK;
}

static rf_status write_npy(const rf_tensor *tensor, rf_new_file *file)
{
    char header[RF_NPY_HEADER_BYTES];
    size_t bytes;
    if (!rf_npy_write_header(tensor, header, &bytes))
        return rf_fail(file->error, RF_ERROR_UNSUPPORTED, file->path, "a .npy file cannot hold elements of "
                       "type %s; give the file a name that ends in .pb", rf_dtype_name(tensor->dtype));
    RF_TRY(rf_new_file_write(file, header, bytes));
    return rf_new_file_write(file, tensor->data, tensor->data_bytes);
}

static rf_status write_proto(const rf_tensor *tensor, rf_new_file *file)
{
    unsigned char header[RF_TENSOR_PROTO_HEADER_BYTES];
    RF_TRY(rf_new_file_write(file, header, rf_tensor_proto_write_header(tensor, header)));
    RF_TRY(rf_new_file_write(file, tensor->data, tensor->data_bytes));
    size_t bytes = rf_tensor_proto_write_name(tensor, header);
    if (bytes == 0)
        return RF_OK;
    RF_TRY(rf_new_file_write(file, header, bytes));
    return rf_new_file_write(file, tensor->name, strlen(tensor->name));
}

static bool ends_in_pb(const char *path)
{
    size_t bytes = strlen(path);
    return bytes >= 3 && memcmp(path + bytes - 3, ".pb", 3) == 0;
}

rf_status rf_tensor_save(const rf_tensor *tensor, const char *path, rf_error *error)
{
    if (!tensor)
        return rf_fail(error, RF_ERROR_ARGUMENT, "tensor", "rf_tensor_save: tensor is NULL");
    if (!path)
        return rf_fail(error, RF_ERROR_ARGUMENT, "path", "rf_tensor_save: path is NULL");
    RF_TRY(check_tensor(tensor, error));
    rf_new_file file;
    RF_TRY(rf_new_file_open(&file, path, error));
    rf_status status = ends_in_pb(path) ? write_proto(tensor, &file) : write_npy(tensor, &file);
    if (status == RF_OK)
        return rf_new_file_finish(&file);
    rf_new_file_discard(&file);
    return status;
}
