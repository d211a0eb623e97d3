/* SPDX-License-Identifier: MIT */
#include "readers/onnx_external.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "onnx.pb.h"

/* Where a tensor says its elements are. */
typedef struct place {
    const rf_tensor *tensor;
    rf_onnx_bytes location;
    bool has_length;
    uint64_t offset, length;
} place;

static rf_status refuse(const rf_onnx_reader *reader, const rf_tensor *tensor, rf_status status,
                        const char *why)
{
    return rf_fail(reader->error, status, tensor->name, "external data of tensor '%.80s' %s",
                   tensor->name, why);
}

static bool read_decimal(rf_onnx_bytes text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        if (!rf_checked_mul(*number, 10, number) || !rf_checked_add(*number, text.at[i] - '0', number))
            return false;
    }
    return text.count > 0;
}

static rf_status take_entry(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    place *at = context;
    rf_onnx_field key = {.reader = reader}, value = {.reader = reader};
    rf_onnx_StringStringEntryProto message = {
        .key = rf_onnx_locate(&key),
        .value = rf_onnx_locate(&value),
    };
    RF_TRY(rf_onnx_decode(reader, "an entry of external data", bytes,
                          rf_onnx_StringStringEntryProto_fields, &message));
    if (rf_onnx_equal(key.last, "location"))
        at->location = value.last;
    if (rf_onnx_equal(key.last, "offset") && !read_decimal(value.last, &at->offset))
        return refuse(reader, at->tensor, RF_ERROR_FORMAT, "has an offset that is not a number");
    if (!rf_onnx_equal(key.last, "length"))
        return RF_OK;
    at->has_length = true;
    if (!read_decimal(value.last, &at->length))
        return refuse(reader, at->tensor, RF_ERROR_FORMAT, "has a length that is not a number");
    return RF_OK;
}

/* A model must not reach outside of its own folder, on any system that reads it. */
static const char *fault_of_location(const char *location)
{
    if (!*location)
        return "names no file";
    if (*location == '/' || *location == '\\' || location[1] == ':')
        return "has an absolute path; it must lie beside the model";
    for (const char *part = location; part; part = strpbrk(part, "/\\")) {
        part += strspn(part, "/\\");
        size_t length = strcspn(part, "/\\");
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return "has '..' in its path; it must lie beside the model";
    }
    return NULL;
}

static rf_status join(rf_onnx_reader *reader, const char *location, const char **path)
{
    size_t folder_bytes = strlen(reader->folder), location_bytes = strlen(location);
    void *memory;
    RF_TRY(rf_onnx_take(reader, folder_bytes + location_bytes + 1, 1, &memory));
    char *text = memory;
    memcpy(text, reader->folder, folder_bytes);
    memcpy(text + folder_bytes, location, location_bytes);
    *path = text;
    return RF_OK;
}

/* Room for one more file. Doubling keeps many files linear in time. */
static rf_status make_room(rf_onnx_reader *reader)
{
    rf_names old = reader->files;
    if (old.count < reader->mapped_room)
        return RF_OK;
    size_t room = reader->mapped_room ? 2 * reader->mapped_room : 8;
    void *mapped;
    RF_TRY(rf_onnx_take(reader, room, sizeof *reader->mapped, &mapped));
    if (!rf_names_init(&reader->files, &reader->owner->arena, room))
        return rf_network_owner_no_memory(reader->owner, reader->error);
    uint32_t present;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].name)
            rf_names_add(&reader->files, old.slots[i].name, old.slots[i].number, &present);
    if (old.count)
        memcpy(mapped, reader->mapped, old.count * sizeof *reader->mapped);
    reader->mapped = mapped;
    reader->mapped_room = room;
    return RF_OK;
}

static rf_status map_new_file(rf_onnx_reader *reader, const char *location, const char *subject,
                              const rf_mapped_file **file)
{
    const char *path;
    rf_mapped_file mapping;
    RF_TRY(make_room(reader));
    RF_TRY(join(reader, location, &path));
    rf_error inner = {.message = ""};
    rf_status status = rf_map_file(path, subject, &mapping, &inner);
    if (status != RF_OK)
        return rf_fail(reader->error, status, subject, "external data of tensor '%.80s': %s",
                       subject, inner.message);
    status = rf_network_owner_adopt(reader->owner, &mapping, reader->error);
    if (status != RF_OK) {
        rf_unmap_file(&mapping);
        return status;
    }
    uint32_t number = (uint32_t)reader->files.count, present;
    rf_names_add(&reader->files, location, number, &present);
    *file = reader->mapped[number] = &reader->owner->files->file;
    return RF_OK;
}

static rf_status find_file(rf_onnx_reader *reader, const place *at, const rf_mapped_file **file)
{
    const char *location;
    RF_TRY(rf_onnx_text(reader, "location of external data", at->location, &location));
    const char *fault = fault_of_location(location);
    if (fault)
        return refuse(reader, at->tensor, RF_ERROR_FORMAT, fault);
    uint32_t number = reader->mapped_room ? rf_names_find(&reader->files, location) : RF_NO_NUMBER;
    if (number == RF_NO_NUMBER)
        return map_new_file(reader, location, at->tensor->name, file);
    *file = reader->mapped[number];
    return RF_OK;
}

static rf_status read_place(rf_onnx_reader *reader, rf_onnx_bytes bytes, size_t entry_count,
                            place *at)
{
    rf_onnx_field entries = {
        .reader = reader, .take = take_entry, .context = at, .room = entry_count};
    rf_onnx_TensorProto message = {.external_data = rf_onnx_locate(&entries)};
    return rf_onnx_decode(reader, "a tensor", bytes, rf_onnx_TensorProto_fields, &message);
}

rf_status rf_onnx_external(rf_onnx_reader *reader, rf_onnx_bytes message, size_t entry_count,
                           uint64_t expected, rf_tensor *tensor)
{
    if (!reader->folder)
        return refuse(reader, tensor, RF_ERROR_IO,
                      "cannot be found: what names it was read from memory, not from a file");
    place at = {.tensor = tensor, .length = expected};
    RF_TRY(read_place(reader, message, entry_count, &at));
    if (at.has_length && at.length != expected)
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "external data of tensor '%.80s' is %" PRIu64
                       " bytes long; its type and shape need %" PRIu64,
                       tensor->name, at.length, expected);
    const rf_mapped_file *file = NULL;
    RF_TRY(find_file(reader, &at, &file));
    if (at.offset > file->bytes || expected > file->bytes - at.offset)
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "external data of tensor '%.80s' needs %" PRIu64 " bytes from byte %" PRIu64
                       " on; its file has %zu",
                       tensor->name, expected, at.offset, file->bytes);
    tensor->data = file->data + at.offset;
    tensor->data_bytes = (size_t)expected;
    return RF_OK;
}
