/* SPDX-License-Identifier: MIT */
/* Stands in for effective_picture.c in a build without gdk-pixbuf. */
#include "effective_answer.h"

int draw_effective(const effective_answer *answer, const char *picture, const char *png)
{
    (void)answer;
    (void)picture;
    return complain(png, "this rfield was built without pictures (the Meson option `pictures`)");
}
