/* SPDX-License-Identifier: MIT */
/* Tensors in files: what is saved comes back, and a failure leaves nothing behind. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rfield/tensors.h>

/* ---- Tools ------------------------------------------------------------------------------- */

typedef struct place {
    char folder[64], npy[96], pb[96], link[96];
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
    snprintf(at->link, sizeof at->link, "%s/link.npy", at->folder);
    *state = at;
    return 0;
}

static int remove_place(void **state)
{
    place *at = *state;
    unlink(at->npy);
    unlink(at->pb);
    unlink(at->link);
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

static size_t files_in(const char *folder)
{
    DIR *directory = opendir(folder);
    size_t count = 0;
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
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

static const rf_tensor *read_npy(int version, const char *header, const void *data, size_t bytes)
{
    npy_file file = make_npy(version, header, data, bytes);
    const rf_tensor *tensor;
    rf_error error = {.message = ""};
    if (rf_tensor_read(file.bytes, file.count, NULL, &tensor, &error) != RF_OK)
        fail_msg("%s: %s", header, error.message);
    return tensor;
}

/* ---- Round trips -------------------------------------------------------------------------- */

static const struct {
    rf_dtype dtype;
    unsigned bits;
    bool in_npy;
} types[] = {
    {RF_FLOAT32, 32, true},   {RF_UINT8, 8, true},          {RF_INT8, 8, true},
    {RF_UINT16, 16, true},    {RF_INT16, 16, true},         {RF_INT32, 32, true},
    {RF_INT64, 64, true},     {RF_BOOL, 8, true},           {RF_FLOAT16, 16, true},
    {RF_FLOAT64, 64, true},   {RF_UINT32, 32, true},        {RF_UINT64, 64, true},
    {RF_COMPLEX64, 64, true}, {RF_COMPLEX128, 128, true},   {RF_BFLOAT16, 16, false},
    {RF_FLOAT8E4M3FN, 8, false}, {RF_FLOAT8E4M3FNUZ, 8, false}, {RF_FLOAT8E5M2, 8, false},
    {RF_FLOAT8E5M2FNUZ, 8, false}, {RF_UINT4, 4, false},    {RF_INT4, 4, false},
};
enum { TYPES = sizeof types / sizeof *types };

static const rf_shape shapes[] = {
    {0}, RF_SHAPE(1), RF_SHAPE(7), RF_SHAPE(0), RF_SHAPE(3, 5), RF_SHAPE(2, 0, 4), RF_SHAPE(2, 3, 4, 5),
    RF_SHAPE(1, 2, 1, 3, 1, 2, 1, 3), RF_SHAPE(0, INT64_MAX, INT64_MAX),
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] == 0)
            return 0;
    for (int32_t i = 0; i < shape->rank; i++)
        count *= (size_t)shape->dims[i];
    return count;
}

static void expect_back(const char *path, const rf_tensor *saved, const char *name)
{
    const rf_tensor *loaded;
    rf_error error = {.message = ""};
    if (rf_tensor_load(path, NULL, &loaded, &error) != RF_OK)
        fail_msg("%s: %s", path, error.message);
    assert_int_equal(loaded->dtype, saved->dtype);
    assert_int_equal(loaded->shape.rank, saved->shape.rank);
    for (int32_t i = 0; i < saved->shape.rank; i++)
        assert_int_equal(loaded->shape.dims[i], saved->shape.dims[i]);
    assert_int_equal(loaded->data_bytes, saved->data_bytes);
    assert_int_equal((uintptr_t)loaded->data % 16, 0);
    if (saved->data_bytes)
        assert_memory_equal(loaded->data, saved->data, saved->data_bytes);
    assert_string_equal(loaded->name, name);
    rf_tensor_free(loaded);
}

static void test_round_trips(void **state)
{
    const place *at = *state;
    static unsigned char memory[4096];
    uint64_t seed = 88172645463325252u;
    rf_error error;
    for (size_t t = 0; t < TYPES; t++) {
        for (size_t s = 0; s < SHAPES; s++) {
            rf_tensor tensor = {.name = "a name", .dtype = types[t].dtype, .shape = shapes[s],
                                .data = memory + 1}; /* at an odd address */
            tensor.data_bytes = (elements_of(&shapes[s]) * types[t].bits + 7) / 8;
            for (size_t i = 0; i < tensor.data_bytes; i++)
                memory[1 + i] = (unsigned char)(next_random(&seed) >> 20 & (types[t].dtype == RF_BOOL ? 1 : 255));
            assert_int_equal(rf_tensor_save(&tensor, at->pb, &error), RF_OK);
            expect_back(at->pb, &tensor, "a name");
            rf_status status = rf_tensor_save(&tensor, at->npy, &error);
            assert_int_equal(status, types[t].in_npy ? RF_OK : RF_ERROR_UNSUPPORTED);
            if (types[t].in_npy)
                expect_back(at->npy, &tensor, "");
        }
    }
}

static void test_long_names_and_none(void **state)
{
    const place *at = *state;
    static char name[5000];
    const float one = 1;
    rf_tensor tensor = {.dtype = RF_FLOAT32, .data = &one, .data_bytes = 4};
    assert_int_equal(rf_tensor_save(&tensor, at->pb, NULL), RF_OK);
    expect_back(at->pb, &tensor, "");
    memset(name, 'x', sizeof name - 1);
    tensor.name = name;
    assert_int_equal(rf_tensor_save(&tensor, at->pb, NULL), RF_OK);
    expect_back(at->pb, &tensor, name);
}

static void test_header_as_numpy_writes_it(void **state)
{
    const place *at = *state;
    const float elements[6] = {0};
    char bytes[256];
    rf_tensor tensor = {.dtype = RF_FLOAT32, .shape = RF_SHAPE(2, 3), .data = elements,
                        .data_bytes = sizeof elements};
    assert_int_equal(rf_tensor_save(&tensor, at->npy, NULL), RF_OK);
    FILE *file = fopen(at->npy, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 128 + sizeof elements);
    fclose(file);
    static const char expected[] =
        "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    for (size_t i = sizeof expected - 1; i < 127; i++)
        assert_int_equal(bytes[i], ' ');
    assert_int_equal(bytes[127], '\n');
}

/* ---- Forms of .npy ------------------------------------------------------------------------ */

static void test_versions_and_spacing(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }            \n",
        "{\"shape\":(2,3,),\"fortran_order\":False,\"descr\":\"<i2\"}",
        " \t\r\n{ 'fortran_order' : False , 'shape' : ( 2L , 3L ) , 'descr' : '=i2' }\n\n",
        "{'descr': '|i2', 'fortran_order': False, 'shape': (2, 3)}",
    };
    const int16_t elements[6] = {1, -2, 3, -4, 5, -6};
    for (size_t h = 0; h < sizeof headers / sizeof *headers; h++) {
        for (int version = 1; version <= 3; version++) {
            const rf_tensor *tensor = read_npy(version, headers[h], elements, sizeof elements);
            assert_int_equal(tensor->dtype, RF_INT16);
            assert_int_equal(tensor->shape.rank, 2);
            assert_int_equal(tensor->shape.dims[0], 2);
            assert_int_equal(tensor->shape.dims[1], 3);
            assert_memory_equal(tensor->data, elements, sizeof elements);
            rf_tensor_free(tensor);
        }
    }
}

static void test_columns_first(void **state)
{
    (void)state;
    uint32_t stored[24];
    for (uint32_t i = 0; i < 24; i++)
        stored[i] = i;
    const rf_tensor *tensor = read_npy(1, "{'descr': '<u4', 'fortran_order': True, 'shape': (2, 3, 4)}",
                                       stored, sizeof stored);
    const uint32_t *elements = tensor->data;
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t j = 0; j < 3; j++)
            for (uint32_t k = 0; k < 4; k++)
                assert_int_equal(elements[(i * 3 + j) * 4 + k], i + 2 * (j + 3 * k));
    rf_tensor_free(tensor);
}

static void test_big_endian(void **state)
{
    (void)state;
    const unsigned char pair[] = {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}; /* 1.5, -2 */
    const float expected[2] = {1.5f, -2.f};
    const rf_tensor *tensor = read_npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", pair, 8);
    assert_memory_equal(tensor->data, expected, 8);
    rf_tensor_free(tensor);
    /* The two numbers of a complex element are turned by themselves. */
    tensor = read_npy(2, "{'descr': '>c8', 'fortran_order': True, 'shape': ()}", pair, 8);
    assert_int_equal(tensor->dtype, RF_COMPLEX64);
    assert_memory_equal(tensor->data, expected, 8);
    rf_tensor_free(tensor);
    const unsigned char turned[] = {0, 1, 0, 2, 0, 3, 0, 4};
    const uint16_t rows[] = {1, 3, 2, 4};
    tensor = read_npy(1, "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 2)}", turned, 8);
    assert_memory_equal(tensor->data, rows, 8);
    rf_tensor_free(tensor);
}

static void test_true_is_one(void **state)
{
    (void)state;
    const unsigned char stored[] = {0, 1, 2, 255}, expected[] = {0, 1, 1, 1};
    const rf_tensor *tensor = read_npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}", stored, 4);
    assert_int_equal(tensor->dtype, RF_BOOL);
    assert_memory_equal(tensor->data, expected, 4);
    rf_tensor_free(tensor);
}

/* ---- TensorProto -------------------------------------------------------------------------- */

static void test_fields_of_a_tensor_proto(void **state)
{
    (void)state;
    const rf_tensor *tensor;
    /* dims packed: 2; type 1; float_data packed: 1.5, -2 */
    static const unsigned char floats[] = {0x0a, 1, 2, 0x10, 1, 0x22, 8, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0};
    const float expected[2] = {1.5f, -2.f};
    assert_int_equal(rf_tensor_read(floats, sizeof floats, NULL, &tensor, NULL), RF_OK);
    assert_memory_equal(tensor->data, expected, 8);
    rf_tensor_free(tensor);
    /* dims 3; type 7; int64_data: 1, -1, 300 */
    static const unsigned char ints[] = {0x08, 3, 0x10, 7, 0x3a, 13, 1, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 1, 0xac, 2};
    const int64_t numbers[3] = {1, -1, 300};
    assert_int_equal(rf_tensor_read(ints, sizeof ints, NULL, &tensor, NULL), RF_OK);
    assert_memory_equal(tensor->data, numbers, sizeof numbers);
    rf_tensor_free(tensor);
}

/* ---- Failures to write -------------------------------------------------------------------- */

static const float some[4] = {1, 2, 3, 4};
static const rf_tensor four = {.name = "four", .dtype = RF_FLOAT32, .shape = RF_SHAPE(4), .data = some,
                               .data_bytes = sizeof some};

static void expect_unsaved(const rf_tensor *tensor, const char *path, rf_status status, const char *words)
{
    rf_error error = {.message = ""};
    rf_status got = rf_tensor_save(tensor, path, &error);
    if (got != status || !strstr(error.message, words))
        fail_msg("got %s '%s'; expected %s with '%s'", rf_status_name(got), error.message,
                 rf_status_name(status), words);
}

static void test_write_errors(void **state)
{
    const place *at = *state;
    char path[5000];
    expect_unsaved(&four, at->folder, RF_ERROR_IO, "directory");
    snprintf(path, sizeof path, "%s/none/t.npy", at->folder);
    expect_unsaved(&four, path, RF_ERROR_IO, "no such folder");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    expect_unsaved(&four, path, RF_ERROR_IO, "too long");
    if (access("/dev/full", W_OK) == 0)
        expect_unsaved(&four, "/dev/full", RF_ERROR_IO, "no space is left");
    assert_int_equal(files_in(at->folder), 0);
}

static void test_failed_write_keeps_the_old_file(void **state)
{
    const place *at = *state;
    rf_tensor brain = four;
    brain.dtype = RF_BFLOAT16;
    brain.data_bytes = 8;
    expect_unsaved(&brain, at->npy, RF_ERROR_UNSUPPORTED, "bfloat16; give the file a name that ends in .pb");
    assert_int_equal(files_in(at->folder), 0);
    assert_int_equal(rf_tensor_save(&four, at->npy, NULL), RF_OK);
    expect_unsaved(&brain, at->npy, RF_ERROR_UNSUPPORTED, "bfloat16");
    expect_back(at->npy, &four, "");
    assert_int_equal(files_in(at->folder), 1);
}

static void test_links_and_modes_stay(void **state)
{
    const place *at = *state;
    struct stat status;
    assert_int_equal(rf_tensor_save(&four, at->npy, NULL), RF_OK);
    assert_int_equal(chmod(at->npy, 0640), 0);
    assert_int_equal(symlink("t.npy", at->link), 0);
    rf_tensor two = four;
    two.shape = (rf_shape)RF_SHAPE(2, 2);
    assert_int_equal(rf_tensor_save(&two, at->link, NULL), RF_OK);
    assert_int_equal(lstat(at->link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(at->npy, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    expect_back(at->npy, &two, "");
    assert_int_equal(files_in(at->folder), 2);
}

/* ---- Arguments and memory ----------------------------------------------------------------- */

static void test_arguments(void **state)
{
    const place *at = *state;
    const rf_tensor *tensor;
    assert_int_equal(rf_tensor_load(NULL, NULL, &tensor, NULL), RF_ERROR_ARGUMENT);
    assert_null(tensor);
    assert_int_equal(rf_tensor_load(at->npy, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_tensor_load(at->npy, NULL, &tensor, NULL), RF_ERROR_IO);
    assert_int_equal(rf_tensor_load(at->folder, NULL, &tensor, NULL), RF_ERROR_IO);
    assert_int_equal(rf_tensor_read(NULL, 1, NULL, &tensor, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_tensor_read("x", 1, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
    const rf_tensor_options empty = {.size = 0};
    assert_int_equal(rf_tensor_read("x", 1, &empty, &tensor, NULL), RF_ERROR_ARGUMENT);
    rf_tensor_free(NULL);
    expect_unsaved(NULL, at->npy, RF_ERROR_ARGUMENT, "tensor is NULL");
    expect_unsaved(&four, NULL, RF_ERROR_ARGUMENT, "path is NULL");
    rf_tensor wrong = four;
    wrong.data = NULL;
    expect_unsaved(&wrong, at->npy, RF_ERROR_ARGUMENT, "at NULL");
    wrong = four;
    wrong.data_bytes = 15;
    expect_unsaved(&wrong, at->npy, RF_ERROR_ARGUMENT, "holds 15 bytes; float32[4] needs 16");
    wrong.shape.dims[0] = RF_UNKNOWN_DIM;
    expect_unsaved(&wrong, at->npy, RF_ERROR_ARGUMENT, "unknown");
    wrong.shape.rank = -1;
    expect_unsaved(&wrong, at->npy, RF_ERROR_ARGUMENT, "rank");
    wrong = four;
    wrong.dtype = RF_STRING;
    expect_unsaved(&wrong, at->pb, RF_ERROR_UNSUPPORTED, "string");
    wrong.dtype = (rf_dtype)77;
    expect_unsaved(&wrong, at->pb, RF_ERROR_UNSUPPORTED, "undefined");
    assert_int_equal(files_in(at->folder), 0);
}

typedef struct small_heap {
    size_t left, held;
} small_heap;

static void *allocate(void *context, size_t bytes)
{
    small_heap *heap = context;
    if (heap->left == 0)
        return NULL;
    heap->left--;
    heap->held++;
    return malloc(bytes);
}

static void release(void *context, void *memory, size_t bytes)
{
    (void)bytes;
    ((small_heap *)context)->held--;
    free(memory);
}

static void test_memory(void **state)
{
    const place *at = *state;
    static float many[50000];
    rf_tensor big = {.dtype = RF_FLOAT32, .shape = RF_SHAPE(50000), .data = many, .data_bytes = sizeof many};
    rf_tensor_options options = RF_TENSOR_OPTIONS_DEFAULT;
    const char *const paths[] = {at->npy, at->pb};
    for (size_t p = 0; p < 2; p++) {
        rf_status status = RF_ERROR_MEMORY;
        const rf_tensor *tensor;
        rf_error error;
        assert_int_equal(rf_tensor_save(&big, paths[p], NULL), RF_OK);
        for (size_t left = 0; left < 10 && status != RF_OK; left++) {
            small_heap heap = {.left = left};
            rf_allocator allocator = {allocate, release, &heap};
            options.allocator = &allocator;
            status = rf_tensor_load(paths[p], &options, &tensor, &error);
            assert_true(status == RF_OK || status == RF_ERROR_MEMORY);
            rf_tensor_free(tensor);
            assert_int_equal(heap.held, 0);
        }
        assert_int_equal(status, RF_OK);
        options.allocator = NULL;
        options.limits.memory_bytes = sizeof many;
        assert_int_equal(rf_tensor_load(paths[p], &options, &tensor, &error), RF_ERROR_LIMIT);
        assert_non_null(strstr(error.message, "the tensor needs more than limits.memory_bytes"));
        options.limits.memory_bytes = 2 * sizeof many;
        assert_int_equal(rf_tensor_load(paths[p], &options, &tensor, &error), RF_OK);
        rf_tensor_free(tensor);
    }
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_round_trips),
        IN_PLACE(test_long_names_and_none),
        IN_PLACE(test_header_as_numpy_writes_it),
        cmocka_unit_test(test_versions_and_spacing),
        cmocka_unit_test(test_columns_first),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_true_is_one),
        cmocka_unit_test(test_fields_of_a_tensor_proto),
        IN_PLACE(test_write_errors),
        IN_PLACE(test_failed_write_keeps_the_old_file),
        IN_PLACE(test_links_and_modes_stay),
        IN_PLACE(test_arguments),
        IN_PLACE(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
