/* SPDX-License-Identifier: MIT */
/* What compiling, sessions and runs refuse, that they say why, and that nothing is lost when they do. */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random_plan.h"

enum { PLANS = 60 };

static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(1, 3, 8, 8)};
static const rf_layer relu = {.name = "y", .type = "Relu"};
static const rf_network small = {.inputs = &image, .input_count = 1, .layers = &relu, .layer_count = 1};

static void expect_error(rf_status got, rf_status wanted, const rf_error *error, const char *mentioned)
{
    if (got != wanted)
        fail_msg("expected %s, got %s: %s", rf_status_name(wanted), rf_status_name(got), error->message);
    assert_int_equal(error->status, wanted);
    assert_true(error->message[0] != '\0');
    assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, mentioned))
        fail_msg("'%s' does not mention '%s'", error->message, mentioned);
}

static void expect_refused(const rf_network *network, const rf_compile_options *options, rf_status status,
                           const char *mentioned)
{
    rf_model *model = (rf_model *)(uintptr_t)8;
    rf_error error = {.message = ""};
    counted_memory memory;
    counted_memory_init(&memory, 0);
    rf_compile_options own = RF_COMPILE_OPTIONS_DEFAULT;
    if (options)
        own = *options;
    own.allocator = &memory.allocator;
    rf_status got = rf_compile(network, &own, &model, &error);
    assert_null(model);
    assert_int_equal(memory.live, 0);
    expect_error(got, status, &error, mentioned);
    assert_int_equal(rf_compile(network, &own, &model, NULL), status);
    assert_null(model);
}

/* ---- Compiling ---------------------------------------------------------------------------- */

static void compile_arguments(void **state)
{
    (void)state;
    rf_error error = {.message = ""};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    expect_error(rf_compile(&small, NULL, NULL, &error), RF_ERROR_ARGUMENT, &error, "model");
    expect_refused(NULL, NULL, RF_ERROR_ARGUMENT, "NULL");
    options.size = 0;
    expect_refused(&small, &options, RF_ERROR_ARGUMENT, "RF_COMPILE_OPTIONS_DEFAULT");
    options = (rf_compile_options)RF_COMPILE_OPTIONS_DEFAULT;
    options.layout = (rf_layout)77;
    expect_refused(&small, &options, RF_ERROR_ARGUMENT, "77");
    options = (rf_compile_options)RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = "sse17";
    expect_refused(&small, &options, RF_ERROR_UNSUPPORTED, "sse17");
    options = (rf_compile_options)RF_COMPILE_OPTIONS_DEFAULT;
    options.value_count = 1;
    expect_refused(&small, &options, RF_ERROR_ARGUMENT, "NULL");
    options = (rf_compile_options)RF_COMPILE_OPTIONS_DEFAULT;
    options.binding_count = 1;
    expect_refused(&small, &options, RF_ERROR_ARGUMENT, "NULL");
    rf_model_free(NULL);
}

static void bindings(void **state)
{
    (void)state;
    const rf_binding other = {.name = "nobody", .shape = RF_SHAPE(1, 3, 8, 8)};
    const rf_binding wrong = {.name = "x", .shape = RF_SHAPE(1, 3)};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.binding_count = 1;
    options.bindings = &other;
    expect_refused(&small, &options, RF_ERROR_NOT_FOUND, "nobody");
    options.bindings = &wrong;
    expect_refused(&small, &options, RF_ERROR_SHAPE, "'x'");
    const rf_tensor open = {.name = "x", .shape = RF_SHAPE(1, 3, RF_UNKNOWN_DIM, 8)};
    rf_network network = small;
    network.inputs = &open;
    expect_refused(&network, NULL, RF_ERROR_UNBOUND, "'x'");
}

static void wrong_values(void **state)
{
    (void)state;
    static const float pixels[192] = {0};
    rf_tensor given = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 3, 8, 8), .data = pixels,
                       .data_bytes = sizeof pixels};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.values = &given;
    options.value_count = 1;
    given.name = "nobody";
    expect_refused(&small, &options, RF_ERROR_NOT_FOUND, "nobody");
    given.name = NULL;
    expect_refused(&small, &options, RF_ERROR_NOT_FOUND, "input");
    given.name = "x";
    given.dtype = RF_INT32;
    expect_refused(&small, &options, RF_ERROR_SHAPE, "int32");
    given.dtype = RF_FLOAT32;
    given.shape = (rf_shape)RF_SHAPE(1, 8, 8, 3);
    expect_refused(&small, &options, RF_ERROR_SHAPE, "[1,8,8,3]");
    given.shape.rank = INT32_MAX;
    expect_refused(&small, &options, RF_ERROR_SHAPE, "'x'");
    given.shape = image.shape;
    given.data_bytes--;
    expect_refused(&small, &options, RF_ERROR_SHAPE, "767");
    given.data = NULL;
    expect_refused(&small, &options, RF_ERROR_SHAPE, "'x'");
}

static void networks_that_cannot_run(void **state)
{
    (void)state;
    const rf_layer no_weights[] = {
        {.name = "c", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 4), RF_INTS("kernel_shape", 3, 3))},
    };
    rf_network network = small;
    network.layers = no_weights;
    expect_refused(&network, NULL, RF_ERROR_GRAPH, "'c'");
    const rf_tensor hollow = {.name = "w", .dtype = RF_FLOAT32, .shape = RF_SHAPE(4, 3, 3, 3)};
    const rf_layer hollow_conv = {.name = "c", .type = "Conv", .inputs = RF_NAMES("x", "w")};
    network.layers = &hollow_conv;
    network.constants = &hollow;
    network.constant_count = 1;
    expect_refused(&network, NULL, RF_ERROR_GRAPH, "'w'");
    const rf_layer after_ragged[] = {{.name = "n", .type = "NonZero"}, {.name = "after", .type = "Abs"}};
    network = (rf_network){.inputs = &image, .input_count = 1, .layers = after_ragged, .layer_count = 2};
    expect_refused(&network, NULL, RF_ERROR_UNSUPPORTED, "'after'");
    const rf_layer unknown = {.name = "u", .type = "Nonesuch"};
    network = (rf_network){.inputs = &image, .input_count = 1, .layers = &unknown, .layer_count = 1};
    expect_refused(&network, NULL, RF_ERROR_UNSUPPORTED, "Nonesuch");
    const rf_tensor text = {.name = "x", .dtype = RF_STRING, .shape = RF_SHAPE(2)};
    const rf_layer same = {.name = "same", .type = "Identity"};
    network = (rf_network){.inputs = &text, .input_count = 1, .layers = &same, .layer_count = 1};
    expect_refused(&network, NULL, RF_ERROR_UNSUPPORTED, "same");
}

static void outputs_named_twice(void **state)
{
    (void)state;
    const rf_tensor twice[] = {{.name = "y", .shape = {.rank = -1}}, {.name = "y", .shape = {.rank = -1}}};
    rf_network network = small;
    network.outputs = twice;
    network.output_count = 2;
    rf_model *model;
    rf_error error = {.message = ""};
    rf_status status = rf_compile(&network, NULL, &model, &error);
    if (status != RF_OK) {
        assert_null(model);
        assert_int_equal(status, RF_ERROR_GRAPH);
        return;
    }
    /* Or both are the same tensor. */
    bound_run run;
    bound_run_make(&run, model, NULL, 1);
    bound_run_go(&run);
    bound_run_free(&run);
    rf_model_free(model);
}

static void huge(void **state)
{
    (void)state;
    const rf_tensor large = {.name = "x", .shape = RF_SHAPE(1, INT64_C(1) << 20, 1 << 10, 1 << 10)};
    rf_network network = small;
    network.inputs = &large;
    expect_refused(&network, NULL, RF_ERROR_LIMIT, "memory_bytes");
    const rf_tensor larger = {.name = "x", .shape = RF_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40, 1, 1)};
    network.inputs = &larger;
    expect_refused(&network, NULL, RF_ERROR_OVERFLOW, "'x'");
}

/* What refuses is the limit. Weights are taken in blocks, each at most as large again as all before it. Returns
 * how often it did. */
static size_t compile_in_little(const rf_network *network)
{
    enum { FIRST_BLOCK = 1 << 19 };
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    counted_memory memory;
    counted_memory_init(&memory, 0);
    options.allocator = &memory.allocator;
    size_t refused = 0;
    for (uint64_t bytes = 1000;; bytes += bytes / 32, refused++) {
        rf_model *model;
        rf_error error = {.message = ""};
        options.limits.memory_bytes = bytes;
        memory.most = 0;
        rf_status status = rf_compile(network, &options, &model, &error);
        assert_true(memory.most <= 2 * bytes + FIRST_BLOCK);
        if (status == RF_OK) {
            rf_model_free(model);
            assert_int_equal(memory.live, 0);
            return refused;
        }
        expect_error(status, RF_ERROR_LIMIT, &error, "memory_bytes");
        assert_null(model);
        assert_int_equal(memory.live, 0);
    }
}

static void for_random_networks(size_t (*check)(const rf_network *network))
{
    static random_plan plan;
    for (uint64_t seed = 1; seed <= PLANS; seed++) {
        random_plan_make(&plan, seed);
        if (plan.network.output_count)
            check(&plan.network);
        random_plan_free(&plan);
    }
}

static void limited_memory(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    assert_true(compile_in_little(&network) > 50);
    for_random_networks(compile_in_little);
}

/* ---- Memory that runs out ----------------------------------------------------------------- */

/* Each allocation is refused once. Returns how many there are. */
static size_t compile_without_one(const rf_network *network)
{
    for (size_t n = 1;; n++) {
        counted_memory memory;
        rf_model *model = (rf_model *)(uintptr_t)8;
        rf_error error = {.message = ""};
        rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
        counted_memory_init(&memory, n);
        options.allocator = &memory.allocator;
        rf_status status = rf_compile(network, &options, &model, &error);
        if (memory.calls < n) {
            assert_int_equal(status, RF_OK);
            rf_model_free(model);
            assert_int_equal(memory.live, 0);
            return n - 1;
        }
        expect_error(status, RF_ERROR_MEMORY, &error, "memory");
        assert_null(model);
        assert_int_equal(memory.live, 0);
    }
}

static void compiling_runs_out(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    assert_true(compile_without_one(&network) > 2);
    for_random_networks(compile_without_one);
}

static void sessions_run_out(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *model;
    assert_int_equal(rf_compile(&network, NULL, &model, NULL), RF_OK);
    for (size_t n = 1;; n++) {
        counted_memory memory;
        rf_session *session = (rf_session *)(uintptr_t)8;
        rf_error error = {.message = ""};
        rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
        counted_memory_init(&memory, n);
        options.allocator = &memory.allocator;
        rf_status status = rf_session_make(model, &options, &session, &error);
        if (memory.calls < n) {
            assert_int_equal(status, RF_OK);
            rf_session_free(session);
            assert_int_equal(memory.live, 0);
            break;
        }
        expect_error(status, RF_ERROR_MEMORY, &error, "memory");
        assert_null(session);
        assert_int_equal(memory.live, 0);
    }
    rf_model_free(model);
}

/* ---- Sessions ----------------------------------------------------------------------------- */

static void session_arguments(void **state)
{
    (void)state;
    rf_model *model;
    rf_session *session = (rf_session *)(uintptr_t)8;
    rf_error error = {.message = ""};
    assert_int_equal(rf_compile(&small, NULL, &model, NULL), RF_OK);
    expect_error(rf_session_make(model, NULL, NULL, &error), RF_ERROR_ARGUMENT, &error, "session");
    expect_error(rf_session_make(NULL, NULL, &session, &error), RF_ERROR_ARGUMENT, &error, "model");
    assert_null(session);
    rf_session_options options = {.size = 0};
    expect_error(rf_session_make(model, &options, &session, &error), RF_ERROR_ARGUMENT, &error, "DEFAULT");
    rf_executor none = {.workers = 0}, silent = {.workers = 2}, endless = {.workers = SIZE_MAX};
    options = (rf_session_options)RF_SESSION_OPTIONS_DEFAULT;
    options.executor = &none;
    expect_error(rf_session_make(model, &options, &session, &error), RF_ERROR_ARGUMENT, &error, "executor");
    options.executor = &silent;
    expect_error(rf_session_make(model, &options, &session, &error), RF_ERROR_ARGUMENT, &error, "executor");
    options.executor = &endless;
    assert_int_not_equal(rf_session_make(model, &options, &session, &error), RF_OK);
    assert_null(session);
    rf_session_free(NULL);
    rf_model_free(model);
}

static void session_memory(void **state)
{
    (void)state;
    static _Alignas(64) char memory[1 << 20];
    rf_network network = mixed_network();
    rf_model *model;
    rf_session *session;
    rf_error error = {.message = ""};
    assert_int_equal(rf_compile(&network, NULL, &model, NULL), RF_OK);
    uint64_t needed = rf_model_memory_needed(model).arena_bytes;
    assert_true(needed > 0 && needed < sizeof memory);
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.memory = memory + 4;
    options.memory_bytes = sizeof memory - 4;
    expect_error(rf_session_make(model, &options, &session, &error), RF_ERROR_ARGUMENT, &error, "aligned");
    options.memory = memory;
    options.memory_bytes = (size_t)needed - 1;
    expect_error(rf_session_make(model, &options, &session, &error), RF_ERROR_ARGUMENT, &error, "needed");
    assert_null(session);
    options.memory_bytes = (size_t)needed;
    assert_int_equal(rf_session_make(model, &options, &session, &error), RF_OK);
    rf_session_free(session);
    rf_model_free(model);
}

static void binding_buffers(void **state)
{
    (void)state;
    static _Alignas(16) char buffer[800];
    rf_model *model;
    rf_session *session;
    rf_tensor output;
    rf_error error = {.message = ""};
    assert_int_equal(rf_compile(&small, NULL, &model, NULL), RF_OK);
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    for (size_t i = 0; i < 2; i++) {
        const char *name = i ? "y" : "x";
        expect_error(rf_session_bind(session, name, NULL, 768, &error), RF_ERROR_ARGUMENT, &error, name);
        expect_error(rf_session_bind(session, name, buffer + 2, 768, &error), RF_ERROR_ARGUMENT, &error, "aligned");
        expect_error(rf_session_bind(session, name, buffer, 767, &error), RF_ERROR_ARGUMENT, &error, "768");
        expect_error(rf_session_bind(session, name, buffer, 0, &error), RF_ERROR_ARGUMENT, &error, "768");
    }
    expect_error(rf_session_bind(session, "nobody", buffer, 800, &error), RF_ERROR_NOT_FOUND, &error, "nobody");
    expect_error(rf_session_bind(session, NULL, buffer, 800, &error), RF_ERROR_NOT_FOUND, &error, "");
    expect_error(rf_session_bind_input(session, "y", buffer, 800, &error), RF_ERROR_NOT_FOUND, &error, "y");
    expect_error(rf_session_bind_input(session, NULL, buffer, 800, &error), RF_ERROR_NOT_FOUND, &error, "");
    expect_error(rf_session_output(session, "x", &output, &error), RF_ERROR_NOT_FOUND, &error, "x");
    expect_error(rf_session_output(session, NULL, &output, &error), RF_ERROR_NOT_FOUND, &error, "");
    expect_error(rf_session_output(session, "y", NULL, &error), RF_ERROR_ARGUMENT, &error, "output");
    expect_error(rf_session_output(NULL, "y", &output, &error), RF_ERROR_ARGUMENT, &error, "session");
    expect_error(rf_session_bind(NULL, "x", buffer, 800, &error), RF_ERROR_ARGUMENT, &error, "session");
    expect_error(rf_session_bind_input(NULL, "x", buffer, 800, &error), RF_ERROR_ARGUMENT, &error, "session");
    rf_session_free(session);
    rf_model_free(model);
}

/* ---- Running ------------------------------------------------------------------------------ */

static void runs_that_fail(void **state)
{
    (void)state;
    static float pixels[192] = {-1, 2}, result[192];
    rf_model *model;
    rf_session *session;
    rf_error error = {.message = ""};
    assert_int_equal(rf_compile(&small, NULL, &model, NULL), RF_OK);
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    expect_error(rf_run(NULL, &error), RF_ERROR_ARGUMENT, &error, "session");
    expect_error(rf_run(session, &error), RF_ERROR_ARGUMENT, &error, "'x'");
    assert_int_equal(rf_session_bind(session, "y", result, sizeof result, NULL), RF_OK);
    expect_error(rf_run(session, &error), RF_ERROR_ARGUMENT, &error, "'x'");
    assert_int_equal(rf_session_bind_input(session, "x", pixels, sizeof pixels, NULL), RF_OK);
    assert_int_not_equal(rf_session_bind_input(session, "x", pixels, 1, NULL), RF_OK); /* the other stays */
    assert_int_equal(rf_run(session, NULL), RF_OK);
    assert_true(result[0] == 0 && result[1] == 2);
    rf_session_free(session);
    rf_model_free(model);
}

/* An index that is out of range is found out only when running; the next run is as good as any. */
static void elements_that_cannot_be(void **state)
{
    (void)state;
    static const float table[3] = {10, 20, 30};
    const rf_tensor inputs[] = {{.name = "at", .dtype = RF_INT64, .shape = RF_SHAPE(2)}};
    const rf_tensor constants[] = {
        {.name = "table", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3), .data = table, .data_bytes = sizeof table},
    };
    const rf_layer layers[] = {{.name = "taken", .type = "Gather", .inputs = RF_NAMES("table", "at")}};
    const rf_network network = {.inputs = inputs, .input_count = 1, .constants = constants, .constant_count = 1,
                                .layers = layers, .layer_count = 1};
    static const int64_t good[2] = {2, -3}, bad[][2] = {{0, 3}, {-4, 0}, {INT64_MIN, INT64_MAX}};
    rf_model *model;
    rf_session *session;
    rf_tensor output;
    assert_int_equal(rf_compile(&network, NULL, &model, NULL), RF_OK);
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        rf_error error = {.message = ""};
        assert_int_equal(rf_session_bind_input(session, "at", bad[i], sizeof bad[i], NULL), RF_OK);
        expect_error(rf_run(session, &error), RF_ERROR_SHAPE, &error, "'taken'");
        assert_int_equal(rf_session_bind_input(session, "at", good, sizeof good, NULL), RF_OK);
        assert_int_equal(rf_run(session, NULL), RF_OK);
        assert_int_equal(rf_session_output(session, "taken", &output, NULL), RF_OK);
        assert_true(((const float *)output.data)[0] == 30 && ((const float *)output.data)[1] == 10);
    }
    rf_session_free(session);
    rf_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compile_arguments),
        cmocka_unit_test(bindings),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(networks_that_cannot_run),
        cmocka_unit_test(outputs_named_twice),
        cmocka_unit_test(huge),
        cmocka_unit_test(limited_memory),
        cmocka_unit_test(compiling_runs_out),
        cmocka_unit_test(sessions_run_out),
        cmocka_unit_test(session_arguments),
        cmocka_unit_test(session_memory),
        cmocka_unit_test(binding_buffers),
        cmocka_unit_test(runs_that_fail),
        cmocka_unit_test(elements_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
