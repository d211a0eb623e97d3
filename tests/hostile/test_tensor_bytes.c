/* SPDX-License-Identifier: MIT */
/* Tensors from bytes that are no tensor, or nearly one: refused with a reason, never read past. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

#include <rfield/tensors.h>

/* ---- Tools ------------------------------------------------------------------------------- */

typedef struct place {
    char folder[64], npy[96], pb[96];
} place;

static int make_place(void **state)
{
    place *at = calloc(1, sizeof *at);
    if (!at)
        return -1;
    strcpy(at->folder, "/tmp/rfield-tensor-XXXXXX");
    if (!mkdtemp(at->folder))
        return -1;
    snprintf(at->npy, sizeof at->npy, "%s/t.npy", at->folder);
    snprintf(at->pb, sizeof at->pb, "%s/t.pb", at->folder);
    *state = at;
    return 0;
}

static int remove_place(void **state)
{
    place *at = *state;
    unlink(at->npy);
    unlink(at->pb);
    int left = rmdir(at->folder);
    free(at);
    return left;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void expect_failure(const void *data, size_t bytes, rf_status status, const char *words)
{
    rf_error error = {.message = ""};
    const rf_tensor *tensor = (const rf_tensor *)&error;
    rf_status got = rf_tensor_read(data, bytes, NULL, &tensor, &error);
    if (got != status || !strstr(error.message, words))
        fail_msg("got %s '%s'; expected %s with '%s'", rf_status_name(got), error.message,
                 rf_status_name(status), words);
    assert_null(tensor);
    assert_int_equal(error.status, status);
}

/* A .npy file in memory. */
typedef struct npy_file {
    unsigned char bytes[1024];
    size_t count;
} npy_file;

static npy_file make_npy(int version, const char *header, const void *data, size_t bytes)
{
    npy_file file = {.count = 0};
    size_t width = version == 1 ? 2 : 4, length = strlen(header);
    memcpy(file.bytes, "\x93NUMPY", 6);
    file.bytes[6] = (unsigned char)version;
    for (size_t i = 0; i < width; i++)
        file.bytes[8 + i] = (unsigned char)(length >> 8 * i);
    memcpy(file.bytes + 8 + width, header, length);
    if (bytes)
        memcpy(file.bytes + 8 + width + length, data, bytes);
    file.count = 8 + width + length + bytes;
    return file;
}

/* ---- Malformed ---------------------------------------------------------------------------- */

static void test_malformed_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        rf_status status;
        const char *words;
    } cases[] = {
        {"", RF_ERROR_FORMAT, "expected '{'"},
        {"[]", RF_ERROR_FORMAT, "expected '{'"},
        {"{", RF_ERROR_FORMAT, "expected a string"},
        {"{}", RF_ERROR_FORMAT, "expected the keys"},
        {"{'descr': '<f4', 'fortran_order': False}", RF_ERROR_FORMAT, "expected the keys"},
        {"{'descr': '<f4', 'descr': '<f4'}", RF_ERROR_FORMAT, "each key once"},
        {"{'other': 1}", RF_ERROR_FORMAT, "expected the key"},
        {"{'descr' '<f4'}", RF_ERROR_FORMAT, "expected ':'"},
        {"{'descr': '<f4}", RF_ERROR_FORMAT, "expected"},
        {"{'descr': '<f4\", 'shape': ()}", RF_ERROR_UNSUPPORTED, "<f4\","},
        {"{'descr': <f4}", RF_ERROR_FORMAT, "expected a string"},
        {"{'descr': '<f\\x34'}", RF_ERROR_FORMAT, "element type"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': ()}", RF_ERROR_UNSUPPORTED, "<f3"},
        {"{'descr': '', 'fortran_order': False, 'shape': ()}", RF_ERROR_UNSUPPORTED, "type"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", RF_ERROR_UNSUPPORTED, "|O"},
        {"{'descr': '<U5', 'fortran_order': False, 'shape': ()}", RF_ERROR_UNSUPPORTED, "<U5"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", RF_ERROR_UNSUPPORTED, "record"},
        {"{'fortran_order': false}", RF_ERROR_FORMAT, "True or False"},
        {"{'shape': [2]}", RF_ERROR_FORMAT, "expected '('"},
        {"{'shape': (2)}", RF_ERROR_FORMAT, "expected ','"},
        {"{'shape': (,)}", RF_ERROR_FORMAT, "an extent"},
        {"{'shape': (2, 3", RF_ERROR_FORMAT, "expected ','"},
        {"{'shape': (-2,)}", RF_ERROR_FORMAT, "an extent"},
        {"{'shape': (2.5,)}", RF_ERROR_FORMAT, "expected ','"},
        {"{'shape': (9223372036854775808,)}", RF_ERROR_FORMAT, "below 2^63"},
        {"{'shape': (1,1,1,1,1,1,1,1,1)}", RF_ERROR_LIMIT, "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", RF_ERROR_FORMAT, "nothing after"},
        {"{'descr': '<f4', 'fortran_order': False 'shape': ()}", RF_ERROR_FORMAT, "',' or '}'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9)}", RF_ERROR_FORMAT,
         "too many elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", RF_ERROR_FORMAT,
         "too many elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", RF_ERROR_FORMAT,
         "holds 4 bytes of elements; float32[1099511627776] needs 4398046511104"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", RF_ERROR_FORMAT, "holds 4 bytes"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': ()}", RF_ERROR_FORMAT, "needs 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        npy_file file = make_npy(1 + (int)(i % 3), cases[i].header, "1234", 4);
        /* Where the header ends, so does what the parser may look at: the elements are no part of it. */
        expect_failure(file.bytes, file.count, cases[i].status, cases[i].words);
    }
    npy_file file = make_npy(4, "{}", "", 0);
    expect_failure(file.bytes, file.count, RF_ERROR_UNSUPPORTED, "version 4");
    file = make_npy(0, "{}", "", 0);
    expect_failure(file.bytes, file.count, RF_ERROR_UNSUPPORTED, "version 0");
}

static void test_malformed_tensor_protos(void **state)
{
    (void)state;
    static const unsigned char strings[] = {0x08, 1, 0x10, 8, 0x32, 1, 'x'};
    expect_failure(strings, sizeof strings, RF_ERROR_UNSUPPORTED, "strings");
    static const unsigned char unknown[] = {0x10, 99};
    expect_failure(unknown, sizeof unknown, RF_ERROR_UNSUPPORTED, "element type 99");
    static const unsigned char external[] = {0x10, 1, 0x70, 1};
    expect_failure(external, sizeof external, RF_ERROR_IO, "read from memory");
    expect_failure("hello, I am no tensor", 21, RF_ERROR_FORMAT, "not an ONNX tensor");
}

/* Reads from memory of exactly that size, so that a byte too far is noticed. */
static rf_status read_exactly(const void *data, size_t bytes, const rf_tensor_options *options)
{
    const rf_tensor *tensor;
    rf_error error = {.message = ""};
    unsigned char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    rf_status status = rf_tensor_read(copy, bytes, options, &tensor, &error);
    free(copy);
    if (status != RF_OK) {
        assert_null(tensor);
        assert_true(error.message[0] != 0);
        return status;
    }
    unsigned sum = 0; /* all that is promised can be read */
    for (size_t i = 0; i < tensor->data_bytes; i++)
        sum += ((const unsigned char *)tensor->data)[i];
    assert_true(sum <= 255 * tensor->data_bytes);
    assert_non_null(tensor->name);
    rf_tensor_free(tensor);
    return RF_OK;
}

static size_t read_file(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, room, file);
    fclose(file);
    return count;
}

static void test_truncated(void **state)
{
    const place *at = *state;
    const float elements[6] = {1, 2, 3, 4, 5, 6};
    unsigned char bytes[512];
    rf_tensor tensor = {.name = "t", .dtype = RF_FLOAT32, .shape = RF_SHAPE(2, 3), .data = elements,
                        .data_bytes = sizeof elements};
    const char *const paths[] = {at->npy, at->pb};
    for (size_t p = 0; p < 2; p++) {
        assert_int_equal(rf_tensor_save(&tensor, paths[p], NULL), RF_OK);
        size_t count = read_file(paths[p], bytes, sizeof bytes);
        /* A TensorProto that ends before its name, the last 3 bytes, is whole. */
        size_t whole = p ? count - 3 : count;
        for (size_t length = 0; length < count; length++)
            assert_int_equal(read_exactly(bytes, length, NULL), length == whole ? RF_OK : RF_ERROR_FORMAT);
        assert_int_equal(read_exactly(bytes, count, NULL), RF_OK);
    }
    expect_failure("", 0, RF_ERROR_FORMAT, "empty");
}

/* ---- Mutants ------------------------------------------------------------------------------ */

enum { MUTANTS = 150000 };

static void mutate(unsigned char *bytes, size_t *count, uint64_t *seed)
{
    static const unsigned char favourites[] = "\0\x7f\x80\xff(){},'0123456789<>|fiuc\x08\x10\x22\x3a\x4a";
    for (uint64_t edits = 1 + next_random(seed) % 4; edits; edits--) {
        size_t at = (size_t)(next_random(seed) % *count);
        uint64_t kind = next_random(seed) % 8;
        if (kind < 3)
            bytes[at] = (unsigned char)next_random(seed);
        else if (kind < 6)
            bytes[at] = favourites[next_random(seed) % (sizeof favourites - 1)];
        else if (kind == 6)
            bytes[at] ^= (unsigned char)(1u << next_random(seed) % 8);
        else if (at > 0)
            *count = at;
    }
}

static void attack(const unsigned char *whole, size_t count, uint64_t seed)
{
    rf_tensor_options options = RF_TENSOR_OPTIONS_DEFAULT;
    size_t understood = 0;
    options.limits.memory_bytes = 1 << 20;
    for (int i = 0; i < MUTANTS; i++) {
        unsigned char bytes[1024];
        size_t length = count;
        memcpy(bytes, whole, count);
        mutate(bytes, &length, &seed);
        understood += read_exactly(bytes, length, &options) == RF_OK;
    }
    assert_true(understood > 0 && understood < MUTANTS);
}

static void test_mutants(void **state)
{
    const place *at = *state;
    const float elements[6] = {1, 2, 3, 4, 5, 6};
    unsigned char bytes[1024];
    npy_file file = make_npy(1, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3, 2)}", elements, 24);
    attack(file.bytes, file.count, 1);
    rf_tensor tensor = {.name = "some name", .dtype = RF_FLOAT32, .shape = RF_SHAPE(2, 3), .data = elements,
                        .data_bytes = sizeof elements};
    assert_int_equal(rf_tensor_save(&tensor, at->pb, NULL), RF_OK);
    attack(bytes, read_file(at->pb, bytes, sizeof bytes), 2);
    static const unsigned char ints[] = {0x0a, 1, 3, 0x10, 6, 0x2a, 4, 1, 0xff, 1, 5, 0x42, 1, 'n'};
    attack(ints, sizeof ints, 3);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_headers),
        cmocka_unit_test(test_malformed_tensor_protos),
        IN_PLACE(test_truncated),
        IN_PLACE(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
