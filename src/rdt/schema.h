/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of schemata: "L3:0=7f0;1=1f", "MB:0=20".  */
#pragma once

#include <stdbool.h>

/* Whether SCHEMATA, the text of the file, says of every domain of the resource in the line WANTED what that says.  The
 * kernel pads with blanks and zeros and may write other digits large; it has lines for other resources, and
 * domains that WANTED does not name.  A wrong line is never said.  */
bool rdt_schema_holds (const char *schemata, const char *wanted);
