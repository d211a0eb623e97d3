/* SPDX-License-Identifier: MIT */
/*
 * The header of a .npy file is text that NumPy hands to a Python parser. Of
 * that language only what NumPy writes is understood here: a dictionary with
 * the keys descr, fortran_order and shape, in any order and spacing.
 */
#include "tensors/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "ops/op.h"

static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

enum { MAGIC = sizeof magic, OLDEST_VERSION = 1, NEWEST_VERSION = 3 };

static const struct {
    const char *descr; /* without the byte order */
    rf_dtype dtype;
} types[] = {
    {"b1", RF_BOOL},      {"u1", RF_UINT8},      {"u2", RF_UINT16},  {"u4", RF_UINT32},
    {"u8", RF_UINT64},    {"i1", RF_INT8},       {"i2", RF_INT16},   {"i4", RF_INT32},
    {"i8", RF_INT64},     {"f2", RF_FLOAT16},    {"f4", RF_FLOAT32}, {"f8", RF_FLOAT64},
    {"c8", RF_COMPLEX64}, {"c16", RF_COMPLEX128},
};
enum { TYPES = sizeof types / sizeof *types };

/* Which keys were met. */
enum { DESCR = 1, FORTRAN_ORDER = 2, SHAPE = 4, ALL_KEYS = 7 };

/* Where the parser is. */
typedef struct header_text {
    const unsigned char *first, *at, *end;
    rf_npy_header *header;
    rf_error *error;
    int keys;
} header_text;

static rf_status expected(const header_text *cursor, const char *what)
{
    return rf_fail(cursor->error, RF_ERROR_FORMAT, "header",
                   "the header of the .npy file is malformed at byte %zu: expected %s",
                   (size_t)(cursor->at - cursor->first), what);
}

static void skip_space(header_text *cursor)
{
    while (cursor->at < cursor->end && memchr(" \t\r\n", *cursor->at, 4))
        cursor->at++;
}

/* Takes a character, after any space. */
static bool take(header_text *cursor, char c)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != (unsigned char)c)
        return false;
    cursor->at++;
    return true;
}

static bool take_word(header_text *cursor, const char *word)
{
    skip_space(cursor);
    size_t bytes = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < bytes || memcmp(cursor->at, word, bytes) != 0)
        return false;
    cursor->at += bytes;
    return true;
}

enum { LONGEST_STRING = 31 };

/* A string in either kind of quotes, without escapes: no key and no type has any. */
static rf_status take_string(header_text *cursor, char text[LONGEST_STRING + 1])
{
    char quote = take(cursor, '\'') ? '\'' : '"';
    if (quote == '"' && !take(cursor, '"'))
        return expected(cursor, "a string");
    size_t bytes = 0;
    while (cursor->at < cursor->end && *cursor->at != (unsigned char)quote) {
        if (bytes == LONGEST_STRING || *cursor->at == '\\' || *cursor->at < ' ')
            return expected(cursor, "a key or an element type");
        text[bytes++] = (char)*cursor->at++;
    }
    text[bytes] = 0;
    return take(cursor, quote) ? RF_OK : expected(cursor, "the end of a string");
}

static rf_status unknown_type(const header_text *cursor, const char *descr)
{
    return rf_fail(cursor->error, RF_ERROR_UNSUPPORTED, "descr",
                   "the .npy file has elements of type %s, which ONNX has no counterpart for", descr);
}

static rf_status take_descr(header_text *cursor)
{
    char descr[LONGEST_STRING + 1];
    skip_space(cursor);
    if (cursor->at < cursor->end && *cursor->at == '[')
        return unknown_type(cursor, "[...], a record");
    RF_TRY(take_string(cursor, descr));
    const char *type = descr + (*descr && strchr("<>=|", *descr) ? 1 : 0);
    cursor->header->big_endian = *descr == '>';
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i].descr, type) != 0)
            continue;
        cursor->header->dtype = types[i].dtype;
        return RF_OK;
    }
    return unknown_type(cursor, descr);
}

static rf_status take_order(header_text *cursor)
{
    cursor->header->columns_first = take_word(cursor, "True");
    if (!cursor->header->columns_first && !take_word(cursor, "False"))
        return expected(cursor, "True or False");
    return RF_OK;
}

static rf_status take_extent(header_text *cursor, int64_t *extent)
{
    skip_space(cursor);
    const unsigned char *first = cursor->at;
    *extent = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (!rf_checked_mul(*extent, 10, extent) || !rf_checked_add(*extent, *cursor->at - '0', extent))
            return expected(cursor, "an extent below 2^63");
    if (cursor->at == first)
        return expected(cursor, "an extent");
    /* How Python 2 wrote long integers. */
    if (cursor->at < cursor->end && *cursor->at == 'L')
        cursor->at++;
    return RF_OK;
}

static rf_status take_shape(header_text *cursor)
{
    rf_shape *shape = &cursor->header->shape;
    shape->rank = 0;
    if (!take(cursor, '('))
        return expected(cursor, "'('");
    while (!take(cursor, ')')) {
        if (shape->rank == RF_MAX_RANK)
            return rf_fail(cursor->error, RF_ERROR_LIMIT, "shape",
                           "the .npy file has more than %d dimensions", RF_MAX_RANK);
        RF_TRY(take_extent(cursor, &shape->dims[shape->rank++]));
        /* One extent needs its comma to be a tuple. */
        if (!take(cursor, ',') && (shape->rank == 1 || !take(cursor, ')')))
            return expected(cursor, "','");
        if (cursor->at[-1] == ')')
            return RF_OK;
    }
    return RF_OK;
}

static rf_status take_entry(header_text *cursor)
{
    static const struct {
        const char *name;
        int bit;
        rf_status (*take_value)(header_text *cursor);
    } keys[] = {
        {"descr", DESCR, take_descr},
        {"fortran_order", FORTRAN_ORDER, take_order},
        {"shape", SHAPE, take_shape},
    };
    char key[LONGEST_STRING + 1];
    RF_TRY(take_string(cursor, key));
    if (!take(cursor, ':'))
        return expected(cursor, "':'");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i].name, key) != 0)
            continue;
        if (cursor->keys & keys[i].bit)
            return expected(cursor, "each key once");
        cursor->keys |= keys[i].bit;
        return keys[i].take_value(cursor);
    }
    return expected(cursor, "the key descr, fortran_order or shape");
}

static rf_status take_dictionary(header_text *cursor)
{
    bool more = true;
    if (!take(cursor, '{'))
        return expected(cursor, "'{'");
    while (!take(cursor, '}')) {
        if (!more)
            return expected(cursor, "',' or '}'");
        RF_TRY(take_entry(cursor));
        more = take(cursor, ',');
    }
    if (cursor->keys != ALL_KEYS)
        return expected(cursor, "the keys descr, fortran_order and shape");
    skip_space(cursor);
    return cursor->at == cursor->end ? RF_OK : expected(cursor, "nothing after '}'");
}

bool rf_npy_begins(const rf_tensor_source *source)
{
    return source->bytes >= MAGIC && memcmp(source->data, magic, MAGIC) == 0;
}

static rf_status cut_short(rf_error *error)
{
    return rf_fail(error, RF_ERROR_FORMAT, "header", "the .npy file ends within its header");
}

/* The text's place: its length has 2 bytes in version 1 and 4 in the others. */
static rf_status find_text(const rf_tensor_source *source, size_t *first, size_t *bytes, rf_error *error)
{
    if (source->bytes < MAGIC + 2)
        return cut_short(error);
    int version = source->data[MAGIC];
    if (version < OLDEST_VERSION || version > NEWEST_VERSION)
        return rf_fail(error, RF_ERROR_UNSUPPORTED, "version",
                       "the .npy file has version %d; %d to %d are supported", version, OLDEST_VERSION,
                       NEWEST_VERSION);
    size_t width = version == 1 ? 2 : 4;
    *first = MAGIC + 2 + width;
    if (source->bytes < *first)
        return cut_short(error);
    *bytes = 0;
    for (size_t i = 0; i < width; i++)
        *bytes |= (size_t)source->data[MAGIC + 2 + i] << 8 * i;
    return *bytes <= source->bytes - *first ? RF_OK : cut_short(error);
}

rf_status rf_npy_read_header(const rf_tensor_source *source, rf_npy_header *header, rf_error *error)
{
    size_t first = 0, bytes = 0;
    RF_TRY(find_text(source, &first, &bytes, error));
    *header = (rf_npy_header){.bytes = first + bytes};
    header_text cursor = {.first = source->data, .at = source->data + first,
                          .end = source->data + header->bytes, .header = header, .error = error};
    return take_dictionary(&cursor);
}

static const char *descr_of(rf_dtype dtype)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].dtype == dtype)
            return types[i].descr;
    return NULL;
}

bool rf_npy_write_header(const rf_tensor *tensor, char header[RF_NPY_HEADER_BYTES], size_t *bytes)
{
    enum { PROLOGUE = MAGIC + 4, ALIGNMENT = 64 };
    const char *descr = descr_of(tensor->dtype);
    if (!descr)
        return false;
    char shape[RF_MAX_RANK * 22 + 1] = "";
    size_t used = 0;
    for (int32_t i = 0; i < tensor->shape.rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64 "%s", i ? ", " : "",
                                 tensor->shape.dims[i], tensor->shape.rank == 1 ? "," : "");
    memset(header, ' ', RF_NPY_HEADER_BYTES);
    int text = snprintf(header + PROLOGUE, RF_NPY_HEADER_BYTES - PROLOGUE,
                        "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                        rf_dtype_bits(tensor->dtype) == 8 ? '|' : '<', descr, shape);
    size_t end = PROLOGUE + (size_t)text;
    header[end] = ' ';
    *bytes = (end / ALIGNMENT + 1) * ALIGNMENT;
    header[*bytes - 1] = '\n';
    memcpy(header, magic, MAGIC);
    header[MAGIC] = 1;
    header[MAGIC + 1] = 0;
    header[MAGIC + 2] = (char)((*bytes - PROLOGUE) & 0xff);
    header[MAGIC + 3] = (char)((*bytes - PROLOGUE) >> 8);
    return true;
}
