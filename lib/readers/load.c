/* SPDX-License-Identifier: MIT */
#include <rfield/readers.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/failure.h"
#include "readers/mapped_file.h"
#include "readers/network_owner.h"
#include "readers/onnx_reader.h"

/* No ONNX model can begin like that: '{' would open a group, which protobuf gave up. */
static bool looks_like_json(const rf_mapped_file *file)
{
    size_t i = 0;
    while (i < file->bytes && memchr(" \t\r\n", file->data[i], 4))
        i++;
    return i < file->bytes && file->data[i] == '{';
}

/* What comes before the names of files beside the one at `path`. */
static rf_status folder_of(rf_network_owner *owner, const char *path, const char **folder,
                           rf_error *error)
{
    const char *slash = strrchr(path, '/');
    *folder = rf_arena_text(&owner->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
    return *folder ? RF_OK : rf_network_owner_no_memory(owner, error);
}

static bool read_bytes(void *context, const void *from, size_t bytes, void *to)
{
    const rf_network_owner *owner = context;
    for (const rf_owned_file *owned = owner->files; owned; owned = owned->next)
        if (rf_read_mapped(&owned->file, from, bytes, to))
            return true;
    return false;
}

static void forget_bytes(void *context, const void *from, size_t bytes)
{
    const rf_network_owner *owner = context;
    for (const rf_owned_file *owned = owner->files; owned; owned = owned->next)
        rf_forget_pages(&owned->file, from, bytes);
}

/* Fills an owner that already holds the mapping. */
static rf_status fill_from_file(rf_network_owner *owner, const char *path, rf_error *error)
{
    const rf_mapped_file *file = &owner->files->file;
    const char *folder;
    RF_TRY(folder_of(owner, path, &folder, error));
    RF_TRY(rf_onnx_read(file->data, file->bytes, folder, owner, error));
    owner->backing = (rf_backing){.read = read_bytes, .forget = forget_bytes, .context = owner};
    owner->network.backing = &owner->backing;
    return RF_OK;
}

static rf_status finish(rf_network_owner *owner, rf_status status, const rf_network **network)
{
    if (status != RF_OK) {
        rf_network_owner_free(owner);
        return status;
    }
    *network = &owner->network;
    return RF_OK;
}

/* Takes the mapping over, whatever comes of it. */
static rf_status load_onnx_file(const char *path, const rf_mapped_file *file,
                                const rf_load_options *options, const rf_network **network,
                                rf_error *error)
{
    rf_network_owner *owner;
    rf_status status = rf_network_owner_make(options, &owner, error);
    if (status == RF_OK)
        status = rf_network_owner_adopt(owner, file, error);
    if (status != RF_OK) {
        rf_unmap_file(file);
        rf_network_owner_free(owner);
        return status;
    }
    return finish(owner, fill_from_file(owner, path, error), network);
}

rf_status rf_network_load(const char *path, const rf_load_options *options,
                          const rf_network **network, rf_error *error)
{
    if (!network)
        return rf_fail(error, RF_ERROR_ARGUMENT, "network", "rf_network_load: network is NULL");
    *network = NULL;
    if (!path)
        return rf_fail(error, RF_ERROR_ARGUMENT, "path", "rf_network_load: path is NULL");
    rf_mapped_file file;
    RF_TRY(rf_map_file(path, NULL, &file, error));
    if (file.bytes == 0) {
        rf_unmap_file(&file);
        return rf_fail(error, RF_ERROR_FORMAT, path, "cannot read %s: it is empty", path);
    }
    if (!looks_like_json(&file))
        return load_onnx_file(path, &file, options, network, error);
    rf_status status = rf_network_load_json((const char *)file.data, file.bytes, options, network,
                                            error);
    rf_unmap_file(&file);
    return status;
}

rf_status rf_network_load_onnx(const void *data, size_t bytes, const rf_load_options *options,
                               const rf_network **network, rf_error *error)
{
    if (!network)
        return rf_fail(error, RF_ERROR_ARGUMENT, "network",
                       "rf_network_load_onnx: network is NULL");
    *network = NULL;
    if (!data && bytes)
        return rf_fail(error, RF_ERROR_ARGUMENT, "data", "rf_network_load_onnx: data is NULL");
    rf_network_owner *owner;
    RF_TRY(rf_network_owner_make(options, &owner, error));
    return finish(owner, rf_onnx_read(data, bytes, NULL, owner, error), network);
}

void rf_network_free(const rf_network *network)
{
    rf_network_owner_free((rf_network_owner *)(uintptr_t)network);
}
