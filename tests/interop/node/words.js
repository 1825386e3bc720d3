// A module of the bundle. The plugin returns its text, which proves that this module was loaded.
"use strict";

module.exports = { WORD: "from the bundle" };
