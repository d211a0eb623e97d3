/* SPDX-License-Identifier: MIT */
/* Stands in for gradients_picture.c in a build without gdk-pixbuf. */
#include "gradients_answer.h"

int draw_gradients(const gradients_answer *answer, const char *png)
{
    (void)answer;
    return complain(png, "this rfield was built without pictures (the Meson option `pictures`)");
}
