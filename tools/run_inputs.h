/* SPDX-License-Identifier: MIT */
/* What `rfield run` feeds a network: tensors and pictures from files. */
#ifndef RFIELD_TOOLS_RUN_INPUTS_H
#define RFIELD_TOOLS_RUN_INPUTS_H

#include <rfield/run.h>
#include <rfield/tensors.h>

#include "picture_input.h"
#include "run_words.h"

/* One input of the network. */
typedef struct run_input {
    const rf_tensor *declared;
    const char *file;        /* NULL where none was given */
    rf_shape shape;          /* to bind, where `bound` */
    bool bound;
    const rf_tensor *tensor; /* what the file holds, unless it is a picture */
    picture_input *picture;
    float *elements;         /* that the picture became */
} run_input;

typedef struct run_inputs {
    const char *model; /* the file, for complaints */
    run_input *at;     /* one for each of the network's */
    size_t count;
    rf_picture_options options;
} run_inputs;

/* Reads the words and the files that they name. An exit code; free it in either case. */
int inputs_open(run_inputs *inputs, const char *model, const rf_network *network, const run_words *words,
                const rf_picture_options *options);

/* Compiles for the shapes of what was given and, where they depend on elements, for the elements. `how`
 * lacks both. */
int inputs_compile(const run_inputs *inputs, const rf_network *network, const rf_compile_options *how,
                   rf_model **model);

/* Binds every input that the model still has. */
int inputs_bind(run_inputs *inputs, const rf_model *model, rf_session *session);

void inputs_close(run_inputs *inputs);

#endif
