/* SPDX-License-Identifier: MIT */
/* A picture from a file, as pixels. A build without gdk-pixbuf has no_picture_input.c instead. */
#ifndef RFIELD_TOOLS_PICTURE_INPUT_H
#define RFIELD_TOOLS_PICTURE_INPUT_H

#include <rfield/tensors.h>

typedef struct picture_input picture_input;

/* Complains and returns BAD_INPUT where it fails; *picture is NULL then. */
int picture_open(const char *path, picture_input **picture);

/* Valid until the picture is closed. */
rf_pixels picture_pixels(const picture_input *picture);

/* NULL is allowed. */
void picture_close(picture_input *picture);

#endif
