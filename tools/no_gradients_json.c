/* SPDX-License-Identifier: MIT */
/* Stands in for gradients_json.c in a build without Jansson. */
#include "gradients_answer.h"

int print_gradients_json(const gradients_answer *answer, output_file *output)
{
    (void)output;
    return complain(answer->path, "this rfield was built without JSON (the Meson option `json`)");
}
