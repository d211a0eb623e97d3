/* SPDX-License-Identifier: MIT */
/* ONNX models in files: what cannot be read, and data kept in other files. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rfield/readers.h>

#include "onnx_writer.h"

/* A new folder with the one model and the one file of data that a test needs. */
typedef struct place {
    char folder[64], model[96], data[96];
} place;

static int make_place(void **state)
{
    place *at = calloc(1, sizeof *at);
    if (!at)
        return -1;
    strcpy(at->folder, "/tmp/rfield-onnx-XXXXXX");
    if (!mkdtemp(at->folder))
        return -1;
    snprintf(at->model, sizeof at->model, "%s/model.onnx", at->folder);
    snprintf(at->data, sizeof at->data, "%s/data.bin", at->folder);
    *state = at;
    return 0;
}

static int remove_place(void **state)
{
    place *at = *state;
    unlink(at->model);
    unlink(at->data);
    rmdir(at->folder);
    free(at);
    return 0;
}

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void expect(const char *path, rf_status status, const char *words)
{
    rf_error error = {.message = ""};
    const rf_network *network;
    assert_string_equal(rf_status_name(rf_network_load(path, NULL, &network, &error)),
                        rf_status_name(status));
    assert_null(network);
    if (!strstr(error.message, words))
        fail_msg("expected '%s' in: %s", words, error.message);
}

static void put_entry(message *tensor, const char *key, const char *value)
{
    message entry = {0};
    put_text(&entry, ENTRY_KEY, key);
    put_text(&entry, ENTRY_VALUE, value);
    put_message(tensor, TENSOR_EXTERNAL, &entry);
}

/* A tensor of 4 bytes; a NULL entry is left out. */
static message external_tensor(const char *name, const char *location, const char *offset,
                               const char *length)
{
    message tensor = tensor_message(name, RF_UINT8, 4);
    if (location)
        put_entry(&tensor, "location", location);
    if (offset)
        put_entry(&tensor, "offset", offset);
    if (length)
        put_entry(&tensor, "length", length);
    put_number(&tensor, TENSOR_LOCATION, 1);
    return tensor;
}

static void write_external(const place *at, const char *location, const char *offset,
                           const char *length)
{
    message tensor = external_tensor("w", location, offset, length);
    message model = model_of_tensor(&tensor);
    write_file(at->model, model.at, model.count);
}

static void test_unreadable_files(void **state)
{
    const place *at = *state;
    expect(at->folder, RF_ERROR_IO, "directory");
    expect(at->model, RF_ERROR_IO, "no such file");
    write_file(at->model, "", 0);
    expect(at->model, RF_ERROR_FORMAT, "empty");
    write_file(at->model, "hello, world\n", 13);
    expect(at->model, RF_ERROR_FORMAT, "not an ONNX model");
    assert_int_equal(unlink(at->model), 0);
    assert_int_equal(mkfifo(at->model, 0600), 0);
    expect(at->model, RF_ERROR_IO, "not a regular file"); /* and does not wait for a writer */
    const rf_network *network;
    assert_int_equal(rf_network_load(NULL, NULL, &network, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_load(at->model, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
}

static void test_external_data(void **state)
{
    const place *at = *state;
    message graph = {0};
    message first = external_tensor("first", "data.bin", NULL, "4");
    message second = external_tensor("second", "data.bin", "6", NULL);
    message third = external_tensor("third", "./data.bin", "0", "4");
    put_message(&graph, GRAPH_INITIALIZER, &first);
    put_message(&graph, GRAPH_INITIALIZER, &second);
    put_message(&graph, GRAPH_INITIALIZER, &third);
    message model = model_message(&graph);
    write_file(at->model, model.at, model.count);
    write_file(at->data, "0123456789", 10);
    const rf_network *network;
    assert_int_equal(rf_network_load(at->model, NULL, &network, NULL), RF_OK);
    const rf_tensor *w = network->constants;
    assert_memory_equal(w[0].data, "0123", 4);
    assert_memory_equal(w[1].data, "6789", 4);
    assert_ptr_equal((const char *)w[0].data + 6, w[1].data); /* one mapping for one name */
    assert_memory_equal(w[2].data, "0123", 4);
    rf_network_free(network);
}

static void test_many_external_files(void **state)
{
    const place *at = *state;
    message graph = {0};
    char name[16], location[64];
    for (int i = 0; i < 20; i++) { /* the same file under names of growing length */
        snprintf(name, sizeof name, "w%d", i);
        snprintf(location, sizeof location, "%.*sdata.bin", 2 * i,
                 "././././././././././././././././././././");
        message tensor = external_tensor(name, location, NULL, NULL);
        put_message(&graph, GRAPH_INITIALIZER, &tensor);
    }
    message model = model_message(&graph);
    write_file(at->model, model.at, model.count);
    write_file(at->data, "0123456789", 10);
    const rf_network *network;
    assert_int_equal(rf_network_load(at->model, NULL, &network, NULL), RF_OK);
    for (int i = 0; i < 20; i++)
        assert_memory_equal(network->constants[i].data, "0123", 4);
    rf_network_free(network);
}

static void test_external_paths_that_escape(void **state)
{
    const place *at = *state;
    static const char *const absolute[] = {"/etc/passwd", "\\share\\x", "C:\\x"};
    static const char *const outside[] = {"..", "../data.bin", "a/../../x", "a/..", "a\\..\\x",
                                          "./.."};
    for (size_t i = 0; i < sizeof absolute / sizeof *absolute; i++) {
        write_external(at, absolute[i], NULL, NULL);
        expect(at->model, RF_ERROR_FORMAT, "absolute path");
    }
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        write_external(at, outside[i], NULL, NULL);
        expect(at->model, RF_ERROR_FORMAT, "'..' in its path");
    }
    write_external(at, "..data.bin", NULL, NULL); /* an ordinary name */
    expect(at->model, RF_ERROR_IO, "no such file");
}

static void test_wrong_external_data(void **state)
{
    const place *at = *state;
    static const struct {
        const char *location, *offset, *length;
        rf_status status;
        const char *words;
    } cases[] = {
        {NULL, NULL, NULL, RF_ERROR_FORMAT, "names no file"},
        {"gone.bin", NULL, NULL, RF_ERROR_IO, "tensor 'w': cannot read"},
        {".", NULL, NULL, RF_ERROR_IO, "directory"},
        {"data.bin", "7", NULL, RF_ERROR_FORMAT, "its file has 10"},
        {"data.bin", "18446744073709551615", NULL, RF_ERROR_FORMAT, "its file has 10"},
        {"data.bin", "18446744073709551616", NULL, RF_ERROR_FORMAT, "offset that is not a number"},
        {"data.bin", "-1", NULL, RF_ERROR_FORMAT, "offset that is not a number"},
        {"data.bin", "", NULL, RF_ERROR_FORMAT, "offset that is not a number"},
        {"data.bin", "0", "3", RF_ERROR_FORMAT, "need 4"},
        {"data.bin", "0", "0x4", RF_ERROR_FORMAT, "length that is not a number"},
    };
    write_file(at->data, "0123456789", 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_external(at, cases[i].location, cases[i].offset, cases[i].length);
        expect(at->model, cases[i].status, cases[i].words);
    }
}

static void test_external_data_of_a_model_in_memory(void **state)
{
    (void)state;
    rf_error error;
    const rf_network *network;
    message tensor = external_tensor("w", "data.bin", NULL, NULL);
    message model = model_of_tensor(&tensor);
    assert_int_equal(rf_network_load_onnx(model.at, model.count, NULL, &network, &error),
                     RF_ERROR_IO);
    assert_string_equal(error.subject, "w");
}

static bool reader_was_built(void)
{
    const rf_network *network;
    return rf_network_load_onnx("", 0, NULL, &network, NULL) != RF_ERROR_UNSUPPORTED;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unreadable_files, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_external_data, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_many_external_files, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_external_paths_that_escape, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_wrong_external_data, make_place, remove_place),
        cmocka_unit_test(test_external_data_of_a_model_in_memory),
    };
    if (!reader_was_built())
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
