/* SPDX-License-Identifier: MIT */
/*
 * ONNX Runtime hands out a table of functions whose places never change: what the
 * first version of the interface had is where it was. So no header of theirs is
 * needed, only the places and the argument lists of the few functions called here.
 */
#include "ort_library.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERFACE_VERSION = 1, FLOAT = 1, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0, WARNINGS = 2, SEQUENTIAL = 0,
       ALL_OPTIMISATIONS = 99 };

/* Places in the table. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENVIRONMENT = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_EXECUTION_MODE = 13,
    SET_OPTIMISATION_LEVEL = 23,
    SET_INTRA_THREADS = 24,
    SET_INTER_THREADS = 25,
    CREATE_TENSOR_WITH_DATA = 49,
    GET_TENSOR_DATA = 51,
    GET_ELEMENT_COUNT = 64,
    GET_TENSOR_INFO = 65,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_ENVIRONMENT = 92,
    RELEASE_STATUS = 93,
    RELEASE_MEMORY_INFO = 94,
    RELEASE_SESSION = 95,
    RELEASE_VALUE = 96,
    RELEASE_TENSOR_INFO = 99,
    RELEASE_SESSION_OPTIONS = 100
};

typedef struct api_base {
    const void *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

/* Every function returns a status, NULL for success. */
typedef void *create_environment(int level, const char *name, void **made);
typedef void *create_session(void *environment, const char *path, const void *options, void **made);
typedef void *run_session(void *session, const void *options, const char *const *input_names, void *const *inputs,
                          size_t input_count, const char *const *output_names, size_t output_count, void **outputs);
typedef void *make_object(void **made);
typedef void *set_number(void *options, int number);
typedef void *create_tensor(const void *memory, void *data, size_t bytes, const int64_t *dims, size_t rank, int type,
                            void **made);
typedef void *get_pointer(void *value, void **pointer);
typedef void *get_count(const void *info, size_t *count);
typedef void *create_memory(int allocator, int memory, void **made);
typedef const char *get_message(const void *status);
typedef void release(void *object);

#define ENTRY(library_, type_, place_) ((type_ *)(library_)->table[place_])

static void let_go(const ort_library *library, int place, void *object)
{
    if (object)
        ENTRY(library, release, place)(object);
}

static bool good(const ort_library *library, void *status, const char *what)
{
    if (!status)
        return true;
    fprintf(stderr, "ONNX Runtime, %s: %s\n", what, ENTRY(library, get_message, GET_ERROR_MESSAGE)(status));
    let_go(library, RELEASE_STATUS, status);
    return false;
}

/* ---- The library -------------------------------------------------------------------------- */

static bool find_table(ort_library *library)
{
    const api_base *(*get_base)(void) = NULL;
    void *found = dlsym(library->handle, "OrtGetApiBase");
    memcpy(&get_base, &found, sizeof get_base);
    if (!get_base) {
        fprintf(stderr, "the library has no OrtGetApiBase\n");
        return false;
    }
    library->version = get_base()->get_version();
    library->table = get_base()->get_api(INTERFACE_VERSION);
    if (!library->table)
        fprintf(stderr, "ONNX Runtime %s no longer has version %d of its interface\n", library->version,
                INTERFACE_VERSION);
    return library->table != NULL;
}

bool ort_open(const char *path, ort_library *library)
{
    *library = (ort_library){.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (!library->handle) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    return find_table(library)
        && good(library, ENTRY(library, create_environment, CREATE_ENVIRONMENT)(WARNINGS, "bench",
                                                                                &library->environment), "environment")
        && good(library, ENTRY(library, create_memory, CREATE_CPU_MEMORY_INFO)(ARENA_ALLOCATOR, DEFAULT_MEMORY,
                                                                               &library->memory), "memory");
}

void ort_close(ort_library *library)
{
    if (library->table) {
        let_go(library, RELEASE_MEMORY_INFO, library->memory);
        let_go(library, RELEASE_ENVIRONMENT, library->environment);
    }
    if (library->handle)
        dlclose(library->handle);
    *library = (ort_library){0};
}

/* ---- A session ---------------------------------------------------------------------------- */

static bool set_options(const ort_library *library, void *options, int threads)
{
    return good(library, ENTRY(library, set_number, SET_EXECUTION_MODE)(options, SEQUENTIAL), "execution mode")
        && good(library, ENTRY(library, set_number, SET_OPTIMISATION_LEVEL)(options, ALL_OPTIMISATIONS), "level")
        && good(library, ENTRY(library, set_number, SET_INTRA_THREADS)(options, threads), "threads")
        && good(library, ENTRY(library, set_number, SET_INTER_THREADS)(options, 1), "threads");
}

static bool load_model(const ort_library *library, const char *model, int threads, void **session)
{
    void *options = NULL;
    if (!good(library, ENTRY(library, make_object, CREATE_SESSION_OPTIONS)(&options), "options"))
        return false;
    bool done = set_options(library, options, threads)
        && good(library, ENTRY(library, create_session, CREATE_SESSION)(library->environment, model, options, session),
                model);
    let_go(library, RELEASE_SESSION_OPTIONS, options);
    return done;
}

static bool make_value(const ort_library *library, const rf_tensor *tensor, void *data, void **value)
{
    size_t bytes = sizeof(float);
    if (tensor->dtype != RF_FLOAT32) {
        fprintf(stderr, "input '%s' is not float32\n", tensor->name);
        return false;
    }
    for (int32_t k = 0; k < tensor->shape.rank; k++)
        bytes *= (size_t)tensor->shape.dims[k];
    return good(library, ENTRY(library, create_tensor, CREATE_TENSOR_WITH_DATA)(
                             library->memory, data, bytes, tensor->shape.dims, (size_t)tensor->shape.rank, FLOAT,
                             value), tensor->name);
}

static bool make_values(ort_session *made, const rf_tensor *inputs, void *const *buffers, const rf_tensor *outputs)
{
    made->inputs = calloc(made->input_count + 1, sizeof *made->inputs);
    made->outputs = calloc(made->output_count + 1, sizeof *made->outputs);
    made->names = calloc(made->input_count + made->output_count + 1, sizeof *made->names);
    if (!made->inputs || !made->outputs || !made->names)
        return false;
    for (size_t i = 0; i < made->input_count; i++) {
        made->names[i] = inputs[i].name;
        if (!make_value(made->library, &inputs[i], buffers[i], &made->inputs[i]))
            return false;
    }
    for (size_t o = 0; o < made->output_count; o++)
        made->names[made->input_count + o] = outputs[o].name;
    return true;
}

bool ort_session_open(const ort_library *library, const char *model, int threads, const rf_tensor *inputs,
                      void *const *buffers, size_t input_count, const rf_tensor *outputs, size_t output_count,
                      ort_session *made)
{
    *made = (ort_session){.library = library, .input_count = input_count, .output_count = output_count};
    if (load_model(library, model, threads, &made->session) && make_values(made, inputs, buffers, outputs))
        return true;
    ort_session_close(made);
    return false;
}

static void release_outputs(ort_session *session)
{
    for (size_t o = 0; session->outputs && o < session->output_count; o++) {
        let_go(session->library, RELEASE_VALUE, session->outputs[o]);
        session->outputs[o] = NULL;
    }
}

bool ort_session_run(ort_session *session)
{
    release_outputs(session);
    return good(session->library, ENTRY(session->library, run_session, RUN)(
                                      session->session, NULL, session->names, session->inputs, session->input_count,
                                      session->names + session->input_count, session->output_count, session->outputs),
                "run");
}

bool ort_session_output(const ort_session *session, size_t i, const float **floats, size_t *count)
{
    const ort_library *library = session->library;
    void *info = NULL, *data = NULL;
    bool done = good(library, ENTRY(library, get_pointer, GET_TENSOR_DATA)(session->outputs[i], &data), "output")
        && good(library, ENTRY(library, get_pointer, GET_TENSOR_INFO)(session->outputs[i], &info), "output")
        && good(library, ENTRY(library, get_count, GET_ELEMENT_COUNT)(info, count), "output");
    if (info)
        let_go(library, RELEASE_TENSOR_INFO, info);
    *floats = data;
    return done;
}

void ort_session_close(ort_session *session)
{
    release_outputs(session);
    for (size_t i = 0; session->inputs && i < session->input_count; i++)
        let_go(session->library, RELEASE_VALUE, session->inputs[i]);
    free(session->inputs);
    free(session->outputs);
    free(session->names);
    if (session->session)
        let_go(session->library, RELEASE_SESSION, session->session);
    *session = (ort_session){0};
}
