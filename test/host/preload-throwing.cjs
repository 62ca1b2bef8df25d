// Every operation converts the address to lower case: for these addresses, that throws what no code of ours throws.
const THROWN = {
  "string@example.com": () => "a string",
  "undefined@example.com": () => undefined,
  "number@example.com": () => 42,
  "object@example.com": () => ({ message: "an object" }),
  "bare@example.com": () => Object.create(null),
  "bug@example.com": () => new TypeError("a bug"),
};

const { toLowerCase } = String.prototype;
String.prototype.toLowerCase = function () {
  if (Object.hasOwn(THROWN, this)) throw THROWN[this]();
  return toLowerCase.call(this);
};
