// Starts kv_plugin.js as the program of a bundle, so that every module comes from the bundle: from the place of this file, which is the
// verified copy. The package.json beside it keeps Node from looking for another one above.
"use strict";

const Module = require("node:module");
const path = require("node:path");

// Node looks for packages in each directory above a module as well, and above a bundle others may write: /tmp/node_modules, say.
const within = (directory) => directory.startsWith(__dirname + path.sep);
const everywhere = Module._nodeModulePaths;
Module._nodeModulePaths = (from) => everywhere(from).filter(within);
module.paths = module.paths.filter(within);

/** What a package is that the bundle does not have, if somebody else has put it where Node would find it. */
function stray() {
  try {
    return require("stray");
  } catch (error) {
    return error.code;
  }
}

const { WORD } = require("./words.js");
require("./kv_plugin.js").main({ word: Buffer.from(WORD), stray: Buffer.from(stray()) });
