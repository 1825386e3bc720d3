// A module of the bundle's own: what it says is what the plugin answers.
"use strict";

module.exports = { WORD: "from the bundle" };
