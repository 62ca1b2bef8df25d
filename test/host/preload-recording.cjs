// Prints the name of each module that the process loads.
const Module = require("node:module");

const load = Module._load;
Module._load = function (name) {
  process.stderr.write(`loads ${name}\n`);
  // biome-ignore lint/complexity/noArguments: passed on as they are
  return load.apply(this, arguments);
};
