/* SPDX-License-Identifier: MIT */
/* Just enough of ONNX Runtime's C interface, from a shared library that the user names, to time a model. */
#ifndef ORT_LIBRARY_H
#define ORT_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include <rfield/network.h>

typedef struct ort_library {
    void *handle;
    void (*const *table)(void); /* the interface's functions, by place */
    const char *version;
    void *environment, *memory;
} ort_library;

/* All of these complain on standard error and return false where they fail. */

bool ort_open(const char *path, ort_library *library);
void ort_close(ort_library *library);

typedef struct ort_session {
    const ort_library *library;
    void *session;
    void **inputs;      /* values over the caller's buffers */
    const char **names; /* of the inputs, then of the outputs; the caller's */
    size_t input_count, output_count;
    void **outputs;     /* values that a run makes; given back before the next */
} ort_session;

/* One operator at a time, `threads` workers within it, every graph optimisation. Names and shapes
 * of `inputs` and `outputs`; inputs of float32 that live in `buffers`. */
bool ort_session_open(const ort_library *library, const char *model, int threads, const rf_tensor *inputs,
                      void *const *buffers, size_t input_count, const rf_tensor *outputs, size_t output_count,
                      ort_session *made);
bool ort_session_run(ort_session *session);
/* The floats of an output of the last run. */
bool ort_session_output(const ort_session *session, size_t i, const float **floats, size_t *count);
void ort_session_close(ort_session *session);

#endif
