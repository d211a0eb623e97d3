/* SPDX-License-Identifier: MIT */
/*
 * Loads a model that a test wrote, from a heap block of its exact size, so
 * that a sanitizer sees each byte read past the end.
 */
#ifndef RF_TESTS_ONNX_LOAD_H
#define RF_TESTS_ONNX_LOAD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>

#include <cmocka.h>

#include <rfield/readers.h>

#include "onnx_writer.h"

static const rf_load_options defaults = RF_LOAD_OPTIONS_DEFAULT;

/* A network and the memory that it points into. */
typedef struct loaded {
    const rf_network *network;
    uint8_t *memory;
    rf_error error;
} loaded;

static inline rf_status load_bytes(loaded *to, const uint8_t *bytes, size_t count,
                            const rf_load_options *options)
{
    *to = (loaded){.memory = malloc(count ? count : 1)};
    assert_non_null(to->memory);
    if (count)
        memcpy(to->memory, bytes, count);
    rf_status status = rf_network_load_onnx(to->memory, count, options, &to->network, &to->error);
    if (status == RF_OK) {
        assert_non_null(to->network);
        return status;
    }
    assert_null(to->network);
    assert_int_equal(to->error.status, status);
    assert_true(strlen(to->error.message) > 0);
    assert_null(strchr(to->error.message, '\n'));
    return status;
}

static inline rf_status load(loaded *to, const message *model)
{
    return load_bytes(to, model->at, model->count, &defaults);
}

static inline void unload(loaded *to)
{
    rf_network_free(to->network);
    free(to->memory);
}

/* Loads a model that must fail, with `words` in its message. */
static inline void expect(const message *model, rf_status status, const char *words)
{
    loaded to;
    assert_string_equal(rf_status_name(load(&to, model)), rf_status_name(status));
    if (!strstr(to.error.message, words))
        fail_msg("expected '%s' in: %s", words, to.error.message);
    unload(&to);
}

static inline void expect_tensor(const message *tensor, rf_status status, const char *words)
{
    message model = model_of_tensor(tensor);
    expect(&model, status, words);
}

/* Where it was not, the tests exit with 77, Meson's "skipped". */
static inline bool reader_was_built(void)
{
    const rf_network *network;
    rf_error error = {.subject = ""};
    return rf_network_load_onnx("", 0, NULL, &network, &error) != RF_ERROR_UNSUPPORTED;
}

#endif
