/* SPDX-License-Identifier: MIT */
/* Pictures that answers are drawn in, and files of them. A build without gdk-pixbuf has none. */
#ifndef RFIELD_TOOLS_FIELD_DRAWING_H
#define RFIELD_TOOLS_FIELD_DRAWING_H

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "field_answer.h"

/* Rows and columns of the input as pixels: its last two axes. An exit code. */
int drawing_size(const field_answer *answer, int *width, int *height);

/* The picture in a file, scaled; NULL after a complaint. */
GdkPixbuf *drawing_load(const char *path, int width, int height);

/* Writes a PNG. An exit code. */
int drawing_save(GdkPixbuf *picture, const char *path);

#endif
