// Starts kv_plugin.js as the program of a bundle. Every module comes from the directory of this
// file, which is the verified copy. The package.json beside it keeps Node from searching for one in
// parent directories.
"use strict";

const Module = require("node:module");
const path = require("node:path");

// Node also searches for packages in every parent directory of a module. Others may be able to write
// there, for example to /tmp/node_modules.
const within = (directory) => directory.startsWith(__dirname + path.sep);
const everywhere = Module._nodeModulePaths;
Module._nodeModulePaths = (from) => everywhere(from).filter(within);
module.paths = module.paths.filter(within);

/** Returns the contents of a package outside the bundle if Node finds it, or the error code. */
function stray() {
  try {
    return require("stray");
  } catch (error) {
    return error.code;
  }
}

const { WORD } = require("./words.js");
require("./kv_plugin.js").main({ word: Buffer.from(WORD), stray: Buffer.from(stray()) });
