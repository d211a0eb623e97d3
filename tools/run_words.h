/* SPDX-License-Identifier: MIT */
/* The words of --input and --output, which name tensors that are known only later. */
#ifndef RFIELD_TOOLS_RUN_WORDS_H
#define RFIELD_TOOLS_RUN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <rfield/network.h>

typedef struct run_words {
    const char **at;
    size_t count;
} run_words;

/* What a word asks for. */
typedef struct run_word {
    size_t tensor;     /* an index */
    const char *value; /* what follows "NAME=" */
} run_word;

/* Finds the tensor that "NAME=VALUE" or, where there is one only, "VALUE" names. `what` is "input" or
 * "output". Complains about `model` and returns BAD_INPUT where there is none. */
int read_word(const char *model, const char *what, const char *word, const rf_tensor *tensors, size_t count,
              run_word *found);

/* Whether a file's name ends in `ending`, such as ".npy". */
bool ends_in(const char *name, const char *ending);

#endif
